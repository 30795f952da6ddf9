/**
 * Checks whether images can be built on RHEL here: a login to Red Hat's registry, and a registered host with valid
 * entitlements.
 */
import { readRegistration } from '../../../activities/image/red-hat.ts';
import { RED_HAT_REGISTRY } from '../../../model/oci/red-hat.ts';
import { registryFor } from '../../../model/spec/worker-configuration.ts';
import type { Check } from '../check.ts';
import { redHatResult } from '../results.ts';

const redHat: Check = {
  name: 'RHEL',
  roles: ['build'],
  async run({ configuration }) {
    const login = registryFor(configuration, `${RED_HAT_REGISTRY}/rhel9`)?.authfile !== undefined;
    return redHatResult(login, await readRegistration(), new Date());
  },
};

export const redHatChecks: readonly Check[] = [redHat];
