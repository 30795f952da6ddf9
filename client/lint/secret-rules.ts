/** The rule about secrets in an image. Pure. */
import { posix } from 'node:path';
import { AGENT_CONFIGURATION_PATH } from '../../model/spec/enrollment.ts';
import { finalSteps, type Step } from './containerfile.ts';
import type { Found, Project, SpecOnly } from './project.ts';

/** Names of files that hold secrets, by the programs that write them. */
const SECRET_FILES: readonly RegExp[] = [
  /\.(?:key|private|passphrase|p12|pfx|jks|keytab|kdbx)$/i,
  /^id_(?:rsa|dsa|ecdsa|ecdsa_sk|ed25519|ed25519_sk)$/,
  /^(?:privkey|.*[-_.]key)\.pem$/i,
  /^\.?auth\.json$/,
  /^\.dockercfg$|^\.dockerconfigjson$/,
  /^\.env(?:\..+)?$/,
  /^(?:\.netrc|\.pgpass|\.git-credentials|\.npmrc|\.pypirc|\.htpasswd|kubeconfig|credentials)$/,
];
/** Examples of them, as projects keep them. */
const EXAMPLES = /\.(?:pub|example|sample|template)$/;

/** Names of variables that hold secrets, and not the path of one. */
const SECRET_NAMES =
  /(?:^|_)(?:PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|API_?KEY|PRIVATE_?KEY|ACCESS_?KEY|CREDENTIALS?)(?:_|$)/i;
const ABOUT_SECRETS = /_(?:FILE|PATH|DIR|NAME|ID|URL)$/i;
const PRIVATE_KEY = /-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----/;

/** Whether a file's name is one of a secret. Docker's config.json is one where Docker keeps it. */
function isSecretFile(path: string): boolean {
  const name = posix.basename(path);
  if (EXAMPLES.test(name)) return false;
  return SECRET_FILES.some((pattern) => pattern.test(name)) || /(?:^|\/)\.docker\/config\.json$/.test(path);
}

/** Whether a variable's name is one of a secret. */
function isSecretName(name: string): boolean {
  return SECRET_NAMES.test(name) && !ABOUT_SECRETS.test(name);
}

/** Secrets that are copied into the image, or stand in it. */
export function secretsInImage({ containerfile, writes }: Project): Found[] {
  const copied = writes.flatMap(({ path, line, source }) => {
    // The agent configuration has a rule of its own.
    const secret = path !== AGENT_CONFIGURATION_PATH && [source, path].find((one) => one !== null && isSecretFile(one));
    return secret
      ? [{ line, message: `${secret} looks like a secret; everybody who can pull the image can read it` }]
      : [];
  });
  return [...copied, ...finalSteps(containerfile).flatMap((step) => [...textsOf(step), ...variablesOf(step)])];
}

function textsOf({ copy, line }: Step): Found[] {
  if (!copy?.texts.some(({ text }) => PRIVATE_KEY.test(text))) return [];
  return [{ line, message: 'a private key stands in the Containerfile; everybody who can pull the image can read it' }];
}

function variablesOf({ keyword, variables, line }: Step): Found[] {
  return variables
    .filter(({ name, value }) => isSecretName(name) && value !== '')
    .map(({ name }) => ({
      line,
      message: `${keyword} ${name} looks like a secret; ${keyword === 'ENV' ? "the image's configuration has it" : "the image's history has what it is given"}`,
    }));
}

/** Secrets given as build arguments. */
export function secretArguments({ spec, lineOf }: SpecOnly): Found[] {
  return Object.keys(spec.image.buildArgs)
    .filter(isSecretName)
    .map((name) => ({
      line: lineOf(`image.buildArgs.${name}`),
      message: `image.buildArgs.${name} looks like a secret; build arguments are in workflow histories and in the image's history`,
    }));
}
