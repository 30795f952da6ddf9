/**
 * How devices enroll (guide, "Choosing an Enrollment Method") and which build secrets a spec names, as the user writes
 * them and as a request has them. Names only: neither holds a secret.
 */
import { z } from 'zod';

/** Name of the agent configuration in a context, as in the guide's Containerfiles. */
export const AGENT_CONFIGURATION = 'config.yaml';
/** Its path on a device. An agent silently ignores enrollment in a drop-in below conf.d. */
export const AGENT_CONFIGURATION_PATH = '/etc/flightctl/config.yaml';

/** Longest validity (days): that of Flight Control's own certificate authority. */
const MAX_DAYS = 3650;
/** Default validity of a certificate (days), as in the guide's command. */
const DEFAULT_DAYS = 365;
/** The only signer for which flightctl prints an agent configuration, and its full name. */
const SIGNERS = ['enrollment', 'flightctl.io/enrollment'] as const;

/** The name of a secret in the worker configuration. */
export const SecretName = z
  .string()
  .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, 'is the name of a secret of the worker configuration');

const Days = z
  .string()
  .regex(/^[1-9]\d*d$/, 'is not a number of days such as 365d')
  .refine((text) => daysOf(text) <= MAX_DAYS, { message: `is more than ${MAX_DAYS} days` });

function daysOf(text: string): number {
  return Number(text.slice(0, -1));
}

/** `enrollment` of flightline.yaml. */
export const EnrollmentSection = z
  .strictObject({
    binding: z
      .enum(['early', 'late'])
      .describe('early builds the agent configuration into the image, late leaves it to provisioning'),
    expiration: Days.optional().describe('early: how long the enrollment certificate is valid; default 365d'),
    renewBefore: Days.optional().describe(
      'early: how long before its end a scheduled release replaces the certificate; default 30d, and half of a ' +
        'validity of less than 60d',
    ),
    signer: z.enum(SIGNERS).optional().describe('early: signer of the certificate; default enrollment'),
    config: SecretName.optional().describe(
      "early: name of a secret of the build host's configuration that holds the agent configuration; none is " +
        'asked for then',
    ),
  })
  .superRefine((section, context) => {
    const refuse = (key: string, message: string) => context.addIssue({ code: 'custom', path: [key], message });
    for (const key of ['expiration', 'renewBefore', 'signer', 'config'] as const) {
      if (section[key] === undefined) continue;
      if (section.binding === 'late') refuse(key, 'is for early binding: leave it out');
      else if (key !== 'config' && section.config !== undefined) {
        refuse(key, 'does not go with config: no certificate is asked for then');
      }
    }
    const { expiration = `${DEFAULT_DAYS}d`, renewBefore } = section;
    if (renewBefore !== undefined && daysOf(renewBefore) >= daysOf(expiration)) {
      refuse('renewBefore', `is not shorter than the validity, ${expiration}: every release would ask for another one`);
    }
  });

/** Prefix of the ids of flightline's own build secrets. */
export const OWN_SECRET_PREFIX = 'flightline-';

/** An element of `secrets` of flightline.yaml, and of a request. */
export const BuildSecret = z.strictObject({
  id: z
    .string()
    .regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, 'is an id: letters, digits, ".", "_" and "-"')
    .refine((id) => !id.startsWith(OWN_SECRET_PREFIX), { message: `must not begin with "${OWN_SECRET_PREFIX}"` })
    .describe('what RUN --mount=type=secret,id=… calls it'),
  from: SecretName.describe("name of a secret of the build host's configuration"),
});
export type BuildSecret = z.infer<typeof BuildSecret>;

/** How a release binds its devices, with defaults filled in. */
export const RequestedEnrollment = z.union([
  z.object({ binding: z.literal('late') }),
  z.object({ binding: z.literal('early'), config: SecretName }),
  z.object({
    binding: z.literal('early'),
    signer: z.enum(SIGNERS),
    /** The validity that is requested. */
    days: z.number().int().min(1).max(MAX_DAYS),
    /** Days before its end; absent for {@link RENEW_BEFORE}. */
    renewBefore: z.number().int().min(1).max(MAX_DAYS).optional(),
  }),
]);
export type RequestedEnrollment = z.infer<typeof RequestedEnrollment>;

/** Fills in the defaults. Pure. */
export function requestedEnrollment(section: z.infer<typeof EnrollmentSection>): RequestedEnrollment {
  const { binding, config } = section;
  if (binding === 'late') return { binding };
  if (config !== undefined) return { binding, config };
  const days = section.expiration === undefined ? DEFAULT_DAYS : daysOf(section.expiration);
  const renewBefore = section.renewBefore && daysOf(section.renewBefore);
  return { binding, signer: section.signer ?? SIGNERS[0], days, ...(renewBefore && { renewBefore }) };
}

/** How long before its end a certificate is replaced (days), since devices enroll with it until the next release. */
const RENEW_BEFORE = 30;

/**
 * `true` when an image's certificate ends within the time that the spec says. Where it says none, a short-lived one is
 * replaced when half of its time has passed. Pure.
 *
 * @param ends ISO 8601
 */
export function endsSoon(ends: string, enrollment: RequestedEnrollment | undefined, now: Date): boolean {
  const { days = Infinity, renewBefore = Math.min(RENEW_BEFORE, days / 2) } =
    enrollment && 'days' in enrollment ? enrollment : {};
  return Date.parse(ends) - now.getTime() <= renewBefore * 24 * 60 * 60_000;
}

/** Secrets and enrollment in a request; absent where the spec has none. */
export const SecretInputs = z.object({
  enrollment: RequestedEnrollment.optional(),
  secrets: z.array(BuildSecret).optional(),
  /** Name of the secret that becomes the image's `/etc/ostree/auth.json`. */
  pullSecret: SecretName.optional(),
});
export type SecretInputs = z.infer<typeof SecretInputs>;

/** The secrets and enrollment in a larger object, without absent ones. Pure. */
export function secretInputs({ enrollment, secrets, pullSecret }: SecretInputs): SecretInputs {
  return {
    enrollment,
    secrets,
    pullSecret,
  };
}

/**
 * The part that decides the result of `podman build`: not late binding, nor when a certificate is replaced. Pure.
 */
export function imageSecretInputs({ enrollment, secrets, pullSecret }: SecretInputs): SecretInputs {
  if (enrollment?.binding !== 'early') return secretInputs({ secrets, pullSecret });
  const built = 'days' in enrollment ? { ...enrollment, renewBefore: undefined } : enrollment;
  return secretInputs({ enrollment: built, secrets, pullSecret });
}

/** `true` when the build holds a secret, so that nothing of it may stay on the host. Pure. */
export function isPrivate({ enrollment, pullSecret }: SecretInputs): boolean {
  return enrollment?.binding === 'early' || pullSecret !== undefined;
}
