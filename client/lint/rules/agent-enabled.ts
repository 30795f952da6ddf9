/** The agent is there, and does not start. */
import { enables, installs } from '../installs.ts';
import { finalPieces } from '../containerfile.ts';
import type { Rule } from '../rule.ts';

const AGENT = 'flightctl-agent';

const rule: Rule = {
  id: 'agent-enabled',
  reason: 'an agent that is not enabled does not start with the device',
  containerfile({ containerfile }) {
    const pieces = finalPieces(containerfile);
    const install = installs(pieces, AGENT);
    if (!install || enables(pieces, `${AGENT}.service`)) return [];
    const message = `${AGENT} is installed and never started; add \`systemctl enable ${AGENT}.service\``;
    return [{ line: install.line, message }];
  },
};
export default rule;
