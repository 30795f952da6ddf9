/** Early binding where the guide has late binding. */
import { isLateBound, type Rule } from '../rule.ts';
import { isVirtual } from '../virtual.ts';

const rule: Rule = {
  id: 'late-binding',
  reason:
    'for OpenShift Virtualization and VMware vSphere the guide uses late binding: ' +
    'cloud-init injects the configuration',
  spec({ spec, lineOf }) {
    const types = spec.disks.filter(isVirtual).map(({ type }) => type);
    if (isLateBound(spec) || types.length === 0) return [];
    const message =
      `enrollment.binding is early, and ${types.join(', ')} is for virtual machines; ` +
      'set it to late, and let cloud-init bring the configuration';
    return [{ line: lineOf('enrollment.binding'), message }];
  },
};
export default rule;
