/** Virtual machines that nothing could give a configuration. */
import { enables, installs, isDnf } from '../installs.ts';
import { finalPieces } from '../containerfile.ts';
import { isLateBound, type Rule } from '../rule.ts';
import { isVirtual } from '../virtual.ts';

const rule: Rule = {
  id: 'cloud-init',
  reason: 'with late binding cloud-init brings a virtual machine its enrollment certificate',
  containerfile({ spec, containerfile }) {
    const disk = isLateBound(spec) ? spec.disks.find(isVirtual) : undefined;
    if (!disk) return [];
    const pieces = finalPieces(containerfile);
    const install = installs(pieces, 'cloud-init');
    if (!install) {
      const message =
        `the ${disk.type} disk is for virtual machines with late binding, ` + 'and nothing installs cloud-init';
      return [{ line: containerfile.final.at(-1)!.line, message }];
    }
    // Debian's packages enable their units themselves.
    if (!isDnf(install) || ['cloud-init.target', 'cloud-init.service'].some((unit) => enables(pieces, unit))) return [];
    const message =
      'cloud-init is installed and never started; ' +
      'add `ln -s ../cloud-init.target /usr/lib/systemd/system/default.target.wants`';
    return [{ line: install.line, message }];
  },
};
export default rule;
