/** RHEL updates itself, beside an agent that is too old to stop it. */
import { installs, masks } from '../installs.ts';
import { finalPieces } from '../containerfile.ts';
import type { Rule } from '../rule.ts';

const AGENT = 'flightctl-agent';
const UPDATES = 'bootc-fetch-apply-updates.timer';

/** Whether an image is RHEL's bootable one: `registry.redhat.io/rhel9/rhel-bootc`, also where a mirror has it. */
function isRhelImage(image: string): boolean {
  return /\/rhel\d*-bootc(?:[:@]|$)/.test(image);
}

/** Whether a version is named that does not mask the timer by itself, as the package does from 1.2 on. */
function isOldAgent(text: string): boolean {
  const [, major, minor] = /flightctl-agent[-=](\d+)\.(\d+)/.exec(text) ?? [];
  return major !== undefined && (Number(major) === 0 || (Number(major) === 1 && Number(minor) < 2));
}

const rule: Rule = {
  id: 'timer-masked',
  reason: "RHEL's own automatic updates would change the device beside the agent, whose package masks them since 1.2",
  containerfile({ containerfile }) {
    const { image, line } = containerfile.final[0]!;
    const pieces = finalPieces(containerfile);
    if (image === null || !isRhelImage(image) || masks(pieces, UPDATES)) return [];
    if (!isOldAgent(installs(pieces, AGENT)?.text ?? '')) return [];
    return [{ line, message: `RHEL's automatic updates are on; add \`systemctl mask ${UPDATES}\`` }];
  },
};
export default rule;
