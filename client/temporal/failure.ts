/** What a failed workflow says of itself. */
import type { z } from 'zod';
import { Failure, failureOf } from '../../model/failure/failure.ts';
import { errorMessage, grpcDetails } from '../terminal/errors.ts';

/** The {@link Failure} that an activity's or workflow's error carries; else one with the innermost message. */
export function failureOfError(error: unknown): Failure {
  return detailIn(error, Failure) ?? failureOf('unexpected', rootMessage(error));
}

/** The first detail of a failure, or of what caused it, that fits the schema. */
export function detailIn<Schema extends z.ZodType>(error: unknown, schema: Schema): z.output<Schema> | undefined {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++) {
    const { details } = at as { details?: unknown };
    const parsed = Array.isArray(details) ? schema.safeParse(details[0]) : undefined;
    if (parsed?.success) return parsed.data;
  }
  return undefined;
}

function rootMessage(error: unknown): string {
  let at: unknown = error;
  for (let depth = 0; at instanceof Error && at.cause instanceof Error && depth < 8; depth++) at = at.cause;
  return at === error ? grpcDetails(error) : errorMessage(at);
}
