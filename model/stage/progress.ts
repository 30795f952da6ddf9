/** Progress: the heartbeat details of a long activity. */
import { z } from 'zod';
import { STAGES } from './stage.ts';

/** What a long activity reports; at most 1 kB. It is shown live, and nothing relies on it. */
export const Progress = z.object({
  stage: z.enum(STAGES),
  /** Of the row, where several rows of a stage may run in one branch. */
  subject: z.string().optional(),
  /** The current step: `org.osbuild.qemu`, `pushing layers`. */
  step: z.string().optional(),
  done: z.number().optional(),
  total: z.number().optional(),
  /** Bytes transferred, for pushes. */
  bytes: z.number().optional(),
  /** Last line of output, redacted, at most 200 characters. */
  line: z.string().optional(),
  container: z.string().optional(),
  host: z.string().optional(),
});
export type Progress = z.infer<typeof Progress>;
