/**
 * Checks whether images can be built on RHEL here: a log-in to Red Hat's registry, and a registered host with valid
 * entitlements.
 */
import { readRegistration, registrationProblem, type Registration } from '../../../activities/image/red-hat.ts';
import { RED_HAT_REGISTRY } from '../../../model/oci/red-hat.ts';
import { registryFor } from '../../../model/spec/worker-configuration.ts';
import { ok, warning, type Check, type CheckResult } from '../check.ts';

/** The result. `login`: the worker configuration names an authfile for the registry. */
export function redHatResult(login: boolean, registration: Registration, now: Date): CheckResult {
  const problem = registrationProblem(registration, now);
  const registered = registration.identity === 'registered' || registration.entitlements.length > 0;
  // This host is not meant for RHEL.
  if (!login && !registered) return ok(`not prepared for ${RED_HAT_REGISTRY}, which only RHEL bases need`);
  const missing = [
    ...(login ? [] : [`there is no log-in to ${RED_HAT_REGISTRY}`]),
    ...(problem === null ? [] : [problem]),
  ];
  if (missing.length === 0) {
    const until = Math.max(...registration.entitlements.map(({ ends }) => ends.getTime()));
    return ok(`a log-in, and entitlements until ${new Date(until).toISOString().slice(0, 10)}`);
  }
  const remedies = [
    ...(login
      ? []
      : [`skopeo login --authfile FILE ${RED_HAT_REGISTRY}, and FILE under registries in the worker configuration`]),
    ...(problem === null ? [] : ['subscription-manager register']),
  ];
  return warning(`cannot build on RHEL bases: ${missing.join('; ')}`, remedies.join('; '));
}

const redHat: Check = {
  name: 'RHEL',
  roles: ['build'],
  async run({ configuration }) {
    const login = registryFor(configuration, `${RED_HAT_REGISTRY}/rhel9`)?.authfile !== undefined;
    return redHatResult(login, await readRegistration(), new Date());
  },
};

export const redHatChecks: readonly Check[] = [redHat];
