/** The agent configuration and the binding that the spec names do not fit each other. */
import { dirname } from 'node:path/posix';
import { AGENT_CONFIGURATION, AGENT_CONFIGURATION_PATH } from '../../../model/spec/enrollment.ts';
import { finalSteps, type Step } from '../containerfile.ts';
import { isLateBound, type Rule } from '../rule.ts';

/** Whether a step names the file, or copies one of its name into its directory. */
function isPlaced({ keyword, text, paths }: Step): boolean {
  if (!['COPY', 'ADD', 'RUN'].includes(keyword)) return false;
  if (text.includes(AGENT_CONFIGURATION_PATH)) return true;
  const [destination = '', ...sources] = paths.toReversed();
  const isThere = destination.replace(/\/$/, '') === dirname(AGENT_CONFIGURATION_PATH);
  return isThere && sources.some((source) => source.split('/').at(-1) === AGENT_CONFIGURATION);
}

const rule: Rule = {
  id: 'agent-configuration',
  reason:
    'early binding puts the enrollment endpoint and certificate into the image, ' +
    'late binding injects both when a device is provisioned',
  containerfile({ containerfile, spec }) {
    const step = finalSteps(containerfile).find(isPlaced);
    if (!isLateBound(spec)) {
      if (step) return [];
      const message =
        'enrollment.binding is early, and nothing puts the configuration into the image; ' +
        'add `ADD config.yaml /etc/flightctl/`';
      return [{ line: containerfile.final.at(-1)!.line, message }];
    }
    if (!step) return [];
    const message = spec.enrollment
      ? `${AGENT_CONFIGURATION_PATH} is put into the image, and enrollment.binding is late; ` +
        'leave it out, or set it to early'
      : `${AGENT_CONFIGURATION_PATH} holds a private key; with \`enrollment: {binding: early}\` ` +
        'flightline requests it and keeps it out of the context';
    return [{ line: step.line, message }];
  },
};
export default rule;
