/** What the verbs about machines print with `--json`. */
import { z } from 'zod';

/** Of `flightline doctor`. */
export const DoctorDocument = z.object({
  /** Nothing failed. */
  ok: z.boolean(),
  findings: z.array(
    z.object({
      /** The check's name. */
      name: z.string(),
      status: z.enum(['ok', 'warning', 'failed']),
      /** What was seen. */
      detail: z.string(),
      /** What to do; null when everything is fine. */
      remedy: z.string().nullable(),
      /** What `doctor --fix` would write. */
      fix: z.object({ file: z.string(), content: z.string() }).nullable(),
      /** The file was written, and the check passed afterwards. */
      fixed: z.boolean(),
    }),
  ),
});

/** Of `flightline drain`. */
export const DrainDocument = z.object({
  host: z.string(),
  /** Null when it takes claims. */
  draining: z.object({ since: z.iso.datetime(), comment: z.string().nullable() }).nullable(),
  /** What still needs the host. */
  leases: z.array(
    z.object({
      release: z.string(),
      branch: z.string(),
      /** What runs for it now; null when only its files are there. */
      slot: z.enum(['build', 'disk']).nullable(),
    }),
  ),
});

/** Of `flightline up`. */
export const StackDocument = z.object({
  temporal: z.object({
    /** `127.0.0.1:port`, gRPC. */
    address: z.string(),
    namespace: z.string(),
    /** URL of its Web UI. */
    webUi: z.string(),
  }),
  registry: z.string(),
  /** Path of the public key. */
  publicKey: z.string(),
  /** Where its state is kept. */
  directory: z.string(),
  /** Variables by which `flightline` finds it. */
  environment: z.record(z.string(), z.string()),
});

/** Of `flightline version`. */
export const VersionDocument = z.object({ version: z.string(), node: z.string() });
