/** Disks whose guest tools are not there, or do not start. */
import { enables, installs, isDnf } from '../installs.ts';
import { finalPieces } from '../containerfile.ts';
import { isLateBound, type Rule } from '../rule.ts';
import { guestTools as toolsOf } from '../virtual.ts';

const rule: Rule = {
  id: 'guest-tools',
  reason: 'the guide adds the guest tools of the virtual platform, by which it sees and stops the machine',
  containerfile({ spec, containerfile }) {
    const pieces = finalPieces(containerfile);
    const { line } = containerfile.final.at(-1)!;
    return spec.disks.flatMap((disk) => {
      const tools = isLateBound(spec) ? toolsOf(disk) : undefined;
      if (!tools) return [];
      const there = tools.flatMap(({ package: name, unit }) => {
        const install = installs(pieces, name);
        return install ? [{ name, unit, install }] : [];
      });
      const [first] = there;
      if (!first) {
        const names = tools.map((tool) => tool.package).join(' or ');
        return [{ line, message: `the ${disk.type} disk is for virtual machines, and nothing installs ${names}` }];
      }
      const works = there.some(({ unit, install }) => unit === null || !isDnf(install) || enables(pieces, unit));
      if (works) return [];
      const message = `${first.name} is installed and never started; add \`systemctl enable ${first.unit}\``;
      return [{ line: first.install.line, message }];
    });
  },
};
export default rule;
