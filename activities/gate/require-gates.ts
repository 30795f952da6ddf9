/** Which gates may run. */
import { FlightlineError } from '../../model/failure/failure.ts';
import type { RequestedGate } from '../../model/gate/gate.ts';
import { isAllowed, type WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { repositoryOf } from '../tools/podman/build.ts';

/** @throws FlightlineError `gate-not-allowed` unless the operator lists each image, and each that wants a network */
export function requireGates(
  { gates: allowed, gatesWithNetwork }: Pick<WorkerConfiguration, 'gates' | 'gatesWithNetwork'>,
  gates: readonly Pick<RequestedGate, 'name' | 'image' | 'network'>[],
  where: string,
): void {
  for (const { name, image, network } of gates) {
    const repository = repositoryOf(image);
    const scopes = network ? gatesWithNetwork : [...allowed, ...gatesWithNetwork];
    if (isAllowed(scopes, repository)) continue;
    const what = network ? 'with a network' : 'as a gate';
    const listed = scopes.length === 0 ? 'allows none' : `allows ${scopes.join(', ')}`;
    throw new FlightlineError(
      'gate-not-allowed',
      `the gate ${name}: ${where} does not run ${repository} ${what}; it ${listed}`,
    );
  }
}
