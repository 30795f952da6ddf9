/** The `probe` activity: an answer means that the host and its worker are alive. */
import { z } from 'zod';
import type { ProbeResult } from '../../model/contract/contract.ts';
import { stage } from '../frame.ts';
import type { HostContext } from './work-directory.ts';

/** Makes the activity. */
export function makeProbe(host: HostContext): () => Promise<ProbeResult> {
  const probe = stage('probe', z.undefined(), () => Promise.resolve({ host: host.name, since: host.startedAt }));
  return () => probe(undefined);
}
