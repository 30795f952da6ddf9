/** The agent is not there. */
import { installs } from '../installs.ts';
import { finalPieces } from '../containerfile.ts';
import type { Rule } from '../rule.ts';

const AGENT = 'flightctl-agent';

const rule: Rule = {
  id: 'agent-installed',
  reason: 'without the agent a device neither enrolls nor is updated',
  containerfile({ containerfile }) {
    if (installs(finalPieces(containerfile), AGENT)) return [];
    const { line } = containerfile.final.at(-1)!;
    const message = `nothing installs ${AGENT}; the guide adds its repository and runs \`dnf -y install ${AGENT}\``;
    return [{ line, message }];
  },
};
export default rule;
