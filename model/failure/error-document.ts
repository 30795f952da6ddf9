/** An error as `--json` prints it. */
import { z } from 'zod';

/** What every command prints on standard output when it fails with `--json`. */
export const ErrorDocument = z.object({
  error: z.object({
    /** A kind of docs/failures.md, or of the command line itself: `usage`, `invalid-spec`, `already-running`, … */
    kind: z.string(),
    message: z.string(),
    /** What to do next; empty when the message says it. */
    remedy: z.string(),
  }),
});
export type ErrorDocument = z.infer<typeof ErrorDocument>;
