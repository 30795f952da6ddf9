/** A failure, and the error that carries it. */
import { z } from 'zod';
import { FAILURE_KINDS, FAILURES, type FailureKind } from './failures.ts';
import { NEXT_STEPS, type Remedy } from './remedy.ts';

/** Where a stage's log is: a host and an absolute path there. */
export const LogLocation = z.object({ host: z.string(), path: z.string() });
export type LogLocation = z.infer<typeof LogLocation>;

/** A failure as activities report it, as the record keeps it, and as the user reads it. */
export const Failure = z.object({
  kind: z.enum(FAILURE_KINDS),
  /** What failed and why; for a build, its last lines. At most {@link MAX_MESSAGE} bytes. No secret. */
  message: z.string(),
  /** What to do next. `remedyText` words it for the place where it is shown. */
  remedy: z.object({
    /** What to do, in one line. */
    action: z.string(),
    /** The step after it: retry the held branch, retry it with a changed spec, or start again. */
    then: z.enum(NEXT_STEPS).nullable(),
  }),
  /** The stage it happened in, when known. */
  stage: z.string().nullable(),
  log: LogLocation.nullable(),
});
export type Failure = z.infer<typeof Failure>;

/** Longest failure message (bytes, as JSON in UTF-8): payloads stay below 10 kB even with two of them. */
export const MAX_MESSAGE = 3_000;

/** Bytes of a value as JSON in UTF-8, as it lies in a payload. */
export function jsonBytes(value: unknown): number {
  let bytes = 0;
  for (const character of JSON.stringify(value)) {
    const code = character.codePointAt(0)!;
    bytes += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
  }
  return bytes;
}

/** The end of a text, which has the cause, in at most `limit` bytes as JSON. */
export function lastBytes(text: string, limit: number): string {
  if (jsonBytes(text) <= limit) return text;
  let kept = text.slice(-limit);
  // One character may take six bytes; each round leaves a tenth of them out.
  while (kept !== '' && jsonBytes(`…${kept}`) > limit) kept = kept.slice(Math.ceil(kept.length / 10));
  return `…${kept}`;
}

const ESCAPE = String.fromCodePoint(27);
/** Colours and cursor movements (ECMA-48, "control sequences"), then all other control characters. */
const TERMINAL = new RegExp(`${ESCAPE}\\[[\\d;?]*[ -/]*[@-~]`, 'g');
const CONTROL = /(?![\n\t])\p{Cc}/gu;

/**
 * A failure of a kind. A long message keeps its end, which has the cause.
 *
 * @param more.remedy replaces the kind's own; a text replaces its action, and keeps its next step
 */
export function failureOf(
  kind: FailureKind,
  message: string,
  more: { remedy?: string | Remedy; stage?: string | null; log?: LogLocation | null } = {},
): Failure {
  const { action, then } = FAILURES[kind];
  const { remedy = action } = more;
  return {
    kind,
    message: lastBytes(message.replace(TERMINAL, '').replace(CONTROL, ''), MAX_MESSAGE),
    remedy: typeof remedy === 'string' ? { action: remedy, then } : remedy,
    stage: more.stage ?? null,
    log: more.log ?? null,
  };
}

/**
 * An error of a known kind. Tools and stages throw it; `activities/frame.ts` turns it into a Temporal failure of type
 * `kind`. Never holds a secret.
 */
export class FlightlineError extends Error {
  readonly failure: Failure;
  constructor(
    kind: FailureKind,
    message: string,
    more: { remedy?: string | Remedy; log?: LogLocation | null; cause?: unknown } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.name = 'FlightlineError';
    this.failure = failureOf(kind, message, more);
  }
}
