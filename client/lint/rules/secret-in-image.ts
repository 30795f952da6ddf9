/** Secrets that are copied into an image, or stand in it. */
import { isSecretFile, isSecretName } from '../../../model/spec/secret-names.ts';
import { finalSteps, type Step } from '../containerfile.ts';
import type { Found, Rule } from '../rule.ts';

const PRIVATE_KEY = /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/;

function filesOf({ paths, line }: Step): Found[] {
  return paths.filter(isSecretFile).map((path) => ({
    line,
    message: `${path} looks like a secret; everybody who can pull the image can read it`,
  }));
}

function textsOf({ keyword, text, line }: Step): Found[] {
  if ((keyword !== 'COPY' && keyword !== 'ADD') || !PRIVATE_KEY.test(text)) return [];
  return [{ line, message: 'a private key stands in the Containerfile; everybody who can pull the image can read it' }];
}

function variablesOf({ keyword, variables, line }: Step): Found[] {
  const where = keyword === 'ENV' ? "the image's configuration has it" : "the image's history has what it is given";
  return variables
    .filter(({ name, value }) => isSecretName(name) && value !== '')
    .map(({ name }) => ({ line, message: `${keyword} ${name} looks like a secret; ${where}` }));
}

const rule: Rule = {
  id: 'secret-in-image',
  reason: 'some secrets are not secure to distribute via the image: bring them at run time, or as a build secret',
  containerfile: ({ containerfile }) =>
    finalSteps(containerfile).flatMap((step) => [...filesOf(step), ...textsOf(step), ...variablesOf(step)]),
  spec: ({ spec, lineOf }) =>
    Object.keys(spec.image.buildArgs)
      .filter(isSecretName)
      .map((name) => ({
        line: lineOf(`image.buildArgs.${name}`),
        message:
          `image.buildArgs.${name} looks like a secret; ` +
          "build arguments are in workflow histories and in the image's history",
      })),
};
export default rule;
