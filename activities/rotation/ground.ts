/** The ground of a rotation: two keys of the sign worker, and access to all that the new one may sign for. */
import type { RotationRequest } from '../../model/tags/rotation.ts';
import type { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { withRegistryAccess } from '../tools/registry/access.ts';
import { allowedKey, readPublicKey } from '../trust/keys.ts';
import type { RotationGround } from './decide.ts';

/**
 * Runs `body` with both. Of the old key the public part is enough.
 *
 * @throws FlightlineError `key-missing`, `key-not-allowed`
 */
export async function withRotationGround<Result>(
  configuration: WorkerConfiguration,
  request: RotationRequest,
  body: (ground: RotationGround & { oldKeyFile: string }) => Promise<Result>,
): Promise<Result> {
  const places = [request.repository, request.recordRepository];
  const [old, next] = [request.oldKey, request.newKey].map((name) => allowedKey(configuration, name, places));
  const keys = { old: await readPublicKey(old!.publicKey), next: await readPublicKey(next!.publicKey) };
  // Disks may be in any repository that the key lists, so their logins are needed too.
  return withRegistryAccess(configuration, [...places, ...next!.repositories], (access) =>
    body({ access, request, ...keys, oldKeyFile: old!.publicKey }),
  );
}
