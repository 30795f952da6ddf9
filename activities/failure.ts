/** Makes a failure of a known kind from whatever an activity threw. */
import { failureOf, FlightlineError, type Failure } from '../model/failure/failure.ts';
import { redact } from './tools/process/redact.ts';

/** The failure for an error, redacted. It names `stage`. */
export function knownFailure(error: unknown, stage: string): Failure {
  if (error instanceof FlightlineError) {
    return { ...error.failure, message: redact(error.failure.message), stage };
  }
  if (error instanceof Error && 'code' in error && error.code === 'ENOSPC') {
    return failureOf('disk-full', `no space left: ${redact(error.message)}`, { stage });
  }
  const text = error instanceof Error ? error.message : String(error);
  return failureOf('unexpected', redact(text), { stage });
}
