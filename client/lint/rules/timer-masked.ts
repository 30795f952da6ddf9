/** RHEL updates itself, beside the agent. */
import { masks } from '../installs.ts';
import { finalPieces } from '../containerfile.ts';
import type { Rule } from '../rule.ts';

/** RHEL's automatic updates (guide, "Using RHEL base images"). */
const UPDATES = 'bootc-fetch-apply-updates.timer';

/** Whether an image is RHEL's bootable one: `registry.redhat.io/rhel9/rhel-bootc`, also where a mirror has it. */
function isRhel(image: string): boolean {
  return /\/rhel\d*-bootc(?:[:@]|$)/.test(image);
}

const rule: Rule = {
  id: 'timer-masked',
  reason: "RHEL's own automatic updates would change the device beside the agent",
  containerfile({ containerfile }) {
    const { image, line } = containerfile.final[0]!;
    if (image === null || !isRhel(image) || masks(finalPieces(containerfile), UPDATES)) return [];
    return [{ line, message: `RHEL's automatic updates are on; add \`systemctl mask ${UPDATES}\`` }];
  },
};
export default rule;
