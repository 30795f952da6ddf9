/**
 * Every kind of failure: what it means, what flightline does about it, and what a person does. `npm run docs` writes
 * the table in docs/failures.md from it.
 *
 * - `retry`: try again on the same host, with growing pauses, for `timing.retryFor`; then hold the branch.
 * - `elsewhere`: try another host; hold the branch when there is none.
 * - `hold`: keep the branch until a person runs `flightline retry`, and show the remedy.
 * - `fail`: end the release. There is nothing to keep, or the request itself is wrong.
 */
import { z } from 'zod';

export const DISPOSITIONS = ['retry', 'elsewhere', 'hold', 'fail'] as const;
export type Disposition = (typeof DISPOSITIONS)[number];

interface FailureRow {
  disposition: Disposition;
  /** What has happened, in one line, for the table in docs/failures.md. */
  meaning: string;
  /** What a person does about it, in one line. */
  remedy: string;
}

export const FAILURES = {
  // The request itself.
  'invalid-input': {
    disposition: 'fail',
    meaning: 'a key, a reference or the request itself is wrong',
    remedy: 'correct the spec and start the release again',
  },
  'context-invalid': {
    disposition: 'fail',
    meaning:
      'the context cannot be packed or unpacked: a device, a path that leaves it, a git reference that does not exist, or, with early binding, a `config.yaml` of its own',
    remedy: 'check the context directory and send it again with `flightline run`',
  },
  'containerfile-invalid': {
    disposition: 'fail',
    meaning: 'the Containerfile cannot be read, or names an image under `localhost/`',
    remedy: 'correct the Containerfile and start the release again',
  },
  'image-not-found': {
    disposition: 'fail',
    meaning: 'the registry has no such base or builder image, or not for this architecture',
    remedy: 'check the name and tag of the image in the Containerfile or spec, and that the registry has it',
  },
  'not-bootc': {
    disposition: 'fail',
    meaning: 'the base or the built image lacks the label `containers.bootc`',
    remedy: 'build on a bootable base image: one with the label containers.bootc=1',
  },
  'tag-exists': {
    disposition: 'fail',
    meaning: 'the tag exists with other content',
    remedy: 'choose a new tag (--tag), or set image.tagPolicy: move to move this one',
  },
  'key-not-allowed': {
    disposition: 'fail',
    meaning: 'the key does not list a repository that the release would sign for',
    remedy:
      "ask the operator to list the repository under the key in the sign worker's configuration, or name another key",
  },
  'builder-not-allowed': {
    disposition: 'fail',
    meaning: 'the builder is not listed under `builders` by the control worker or by the build host',
    remedy: 'ask the operator to list the builder image under `builders` in the worker configuration',
  },
  'git-not-allowed': {
    disposition: 'fail',
    meaning: "the URL's scheme is not listed under `git.schemes`",
    remedy: 'use a git URL whose scheme the worker configuration allows under git.schemes',
  },
  'secret-not-allowed': {
    disposition: 'fail',
    meaning: "the image's or a disk's repository is not listed under the secret, or under `flightctl`",
    remedy:
      "ask the operator to list the image's and disks' repositories under the secret (or under flightctl) in the build host's worker configuration",
  },
  'deletion-disabled': {
    disposition: 'fail',
    meaning: 'the registry does not delete manifests; nothing was pruned',
    remedy:
      'let the registry delete (distribution: REGISTRY_STORAGE_DELETE_ENABLED=true), or prune with its own tools; then run the command again',
  },
  'webhook-missing': {
    disposition: 'fail',
    meaning: 'the control worker has no webhook of the name that `notify` gives',
    remedy: "ask the operator to add the webhook to the control worker's configuration, or correct notify in the spec",
  },
  'webhook-refused': {
    disposition: 'fail',
    meaning: 'a webhook answered 3xx or 4xx; only this delivery failed, not its release',
    remedy: 'look at the server of the webhook, and correct its url in the worker configuration; it is not told again',
  },
  'boot-test': {
    disposition: 'fail',
    meaning: 'the disk did not print the expected line on its serial console; the message has the last lines',
    remedy:
      'read the console (`flightline logs RELEASE boot-test`), mend the image or bootTest, and start the release again',
  },
  rejected: {
    disposition: 'fail',
    meaning: 'a person rejected the release that waited for approval; the message says who and why',
    remedy: 'ask who rejected it what to change, and start another release',
  },
  'back-in-time': {
    disposition: 'fail',
    meaning: 'the promotion would move a tag to an older release',
    remedy: 'promote what is newer, or move it back on purpose: `flightline rollback`, or `promote --allow-older`',
  },
  // What a person can mend while the release waits.
  'approval-needed': {
    disposition: 'hold',
    meaning: 'everything is verified, no tag has moved, and a person must approve',
    remedy: '`flightline approve RELEASE --comment …`, or `flightline reject RELEASE --comment …`',
  },
  containerfile: {
    disposition: 'hold',
    meaning: 'a step of the Containerfile failed; the message has its last lines',
    remedy: 'mend the Containerfile, then `flightline retry RELEASE --spec flightline.yaml`',
  },
  'image-lint': {
    disposition: 'hold',
    meaning: '`bootc container lint`, run in the built image, found an error',
    remedy:
      'mend in the Containerfile what `bootc container lint` names, then `flightline retry RELEASE --spec flightline.yaml`',
  },
  'builder-configuration': {
    disposition: 'hold',
    meaning: 'the builder refused its configuration, a disk type or the root file system',
    remedy: 'mend builder.config or the disk types, then `flightline retry RELEASE --spec flightline.yaml`',
  },
  builder: {
    disposition: 'hold',
    meaning: 'the builder failed, or did not leave exactly one complete file for each type',
    remedy:
      "read the builder's log (`flightline logs RELEASE disk-build`), mend its cause, then `flightline retry RELEASE`",
  },
  'registry-login': {
    disposition: 'hold',
    meaning: 'the worker has no log-in for the registry, or it has expired',
    remedy: "renew the registry log-in in the worker's authfile, then `flightline retry RELEASE`",
  },
  'registry-denied': {
    disposition: 'hold',
    meaning: "the worker's account may not push to the repository",
    remedy: "give the worker's registry account push rights to the repository, then `flightline retry RELEASE`",
  },
  'key-missing': {
    disposition: 'hold',
    meaning: 'there is no key of that name, one of its files cannot be read, or the two are not a pair',
    remedy: "put the key where the sign worker's configuration says, or add it there, then `flightline retry RELEASE`",
  },
  'key-passphrase': {
    disposition: 'hold',
    meaning: 'the passphrase does not open the private key',
    remedy: 'correct the passphrase file of the key on the sign worker, then `flightline retry RELEASE`',
  },
  'signature-rejected': {
    disposition: 'hold',
    meaning: 'a device would refuse what is in the registry',
    remedy: 'find out who signed or changed the image: a device would refuse it; then `flightline retry RELEASE`',
  },
  'device-policy': {
    disposition: 'hold',
    meaning:
      "with `verification: bake`, the image's own policy rejects the repository, refuses the image, or accepts another key",
    remedy:
      'mend /etc/containers/policy.json in the image (Containerfile or base), then `flightline retry RELEASE --spec flightline.yaml`',
  },
  'tag-moved': {
    disposition: 'hold',
    meaning: 'someone else pushed the tag while the release ran',
    remedy: 'someone else pushed this tag: delete it or choose another tag, then `flightline retry RELEASE`',
  },
  'disk-vanished': {
    disposition: 'hold',
    meaning: 'the registry lost what was pushed, repeatedly or after every host had cleaned up',
    remedy: 'the registry lost what was pushed and no host has it any more: `flightline retry RELEASE` builds it again',
  },
  'secret-missing': {
    disposition: 'hold',
    meaning: 'the build host has no secret of that name, or cannot use its file',
    remedy:
      "put the secret where the build host's worker configuration says, or add it there and restart the worker; then `flightline retry RELEASE`",
  },
  'enrollment-login': {
    disposition: 'hold',
    meaning:
      'the build host is not logged in to Flight Control, its log-in has expired, or it does not trust the server',
    remedy:
      "renew the host's log-in (`flightctl login --config-dir DIR …`, as flightctl.configDirectory names it), then `flightline retry RELEASE`",
  },
  'enrollment-denied': {
    disposition: 'hold',
    meaning: 'the account may not request certificates or read the enrollment configuration',
    remedy:
      "give the host's Flight Control account the role flightctl-org-admin or flightctl-admin, then `flightline retry RELEASE`",
  },
  enrollment: {
    disposition: 'hold',
    meaning: 'the agent configuration is unusable (expired, for another key, not YAML), or flightctl failed otherwise',
    remedy: 'mend what the message names, then `flightline retry RELEASE`',
  },
  'enrollment-binding': {
    disposition: 'hold',
    meaning: 'the image has `/etc/flightctl/config.yaml` with late binding, or lacks it with early binding',
    remedy:
      'make the Containerfile and enrollment.binding say the same of /etc/flightctl/config.yaml, then `flightline retry RELEASE --spec flightline.yaml`',
  },
  'host-setup': {
    disposition: 'hold',
    meaning: 'the host lacks a program, a right or a setting, or `--keep-files` found another file of the same name',
    remedy: 'run `flightline doctor` on the host, mend what it finds, then `flightline retry RELEASE`',
  },
  stalled: {
    disposition: 'hold',
    meaning: "neither the builder's log nor its output grew for 20 minutes",
    remedy: 'nothing grew for a long time: look at the log and the host, then `flightline retry RELEASE`',
  },
  'retries-exhausted': {
    disposition: 'hold',
    meaning: 'a fault that should have passed lasted too long; the message has the last failure',
    remedy: 'the fault lasted too long: see that what it names works again, then `flightline retry RELEASE`',
  },
  // What passes by itself.
  registry: {
    disposition: 'retry',
    meaning: 'a registry, package repository or git server does not answer',
    remedy: 'wait: it is tried again until the registry answers',
  },
  'enrollment-service': {
    disposition: 'retry',
    meaning: 'Flight Control does not answer, or not in time',
    remedy: 'wait: it is tried again until Flight Control answers',
  },
  webhook: {
    disposition: 'retry',
    meaning: 'a webhook does not answer, or answers 5xx; the release goes on meanwhile',
    remedy: 'wait: it is told again until its server answers, for a day',
  },
  'container-lost': {
    disposition: 'retry',
    meaning: 'the builder container was ended from outside',
    remedy: 'wait: the container is started anew',
  },
  'out-of-memory': {
    disposition: 'elsewhere',
    meaning: 'the kernel killed the build or the builder for lack of memory',
    remedy: 'give the build host more memory, or lower limits.disk in its worker configuration',
  },
  'disk-full': {
    disposition: 'elsewhere',
    meaning: 'the host has no space left, or is too small for the release',
    remedy: 'free space on the build host, then `flightline retry RELEASE`',
  },
  'loop-device': {
    disposition: 'elsewhere',
    meaning: 'the builder got no loop device',
    remedy: 'free loop devices on the build host (losetup -a), then `flightline retry RELEASE`',
  },
  'not-registered': {
    disposition: 'elsewhere',
    meaning: 'a base is from registry.redhat.io, and the host is not registered or its entitlements have expired',
    remedy:
      'register the build host (`subscription-manager register`) and see that /etc/pki/entitlement has a valid certificate, then `flightline retry RELEASE`',
  },
  'worker-restarted': {
    disposition: 'retry',
    meaning: 'a worker was restarted during the step',
    remedy: 'wait: the worker was restarted and goes on',
  },
  'no-host': {
    disposition: 'retry',
    meaning: 'no build worker of the host answers the request for a log',
    remedy: 'wait, or start a build worker: `flightline worker --role build`',
  },
  'no-slot': {
    disposition: 'retry',
    meaning: 'the host is busy or excluded; the release waits without limit',
    remedy: 'wait: the host is busy with other releases',
  },
  unexpected: {
    disposition: 'retry',
    meaning: 'an error that flightline does not know',
    remedy: "read the worker's log; if it happens again, report it with that log",
  },
} as const satisfies Record<string, FailureRow>;

export type FailureKind = keyof typeof FAILURES;

export const FAILURE_KINDS = Object.keys(FAILURES) as [FailureKind, ...FailureKind[]];

/** Where the whole log of a stage lies: a host and an absolute path there. */
export const LogLocation = z.object({ host: z.string(), path: z.string() });
export type LogLocation = z.infer<typeof LogLocation>;

/** A failure as it is carried in an activity's failure details, in the record and to the user. */
export const Failure = z.object({
  kind: z.enum(FAILURE_KINDS),
  /** What failed and why; for a build, its last lines. At most {@link MAX_MESSAGE} bytes. No secret. */
  message: z.string(),
  /** What to do next, in one line. */
  remedy: z.string(),
  /** The stage it happened in, when known. */
  stage: z.string().nullable(),
  log: LogLocation.nullable(),
});
export type Failure = z.infer<typeof Failure>;

/** A remedy for what is no release: where that would be retried, `again` says what to do. */
export function remedyWithoutRetry(remedy: string, again: string): string {
  return remedy.replace(/`flightline retry RELEASE[^`]*`/, again);
}

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

/** The end of a text, where the cause stands, in at most `limit` bytes as JSON. */
export function lastBytes(text: string, limit: number): string {
  if (jsonBytes(text) <= limit) return text;
  let kept = text.slice(-limit);
  // One character may take six bytes; each round leaves a tenth of them out.
  while (kept !== '' && jsonBytes(`…${kept}`) > limit) kept = kept.slice(Math.ceil(kept.length / 10));
  return `…${kept}`;
}

const ESCAPE = String.fromCodePoint(27);
/** Colours and cursor movements (ECMA-48, "control sequences"), then whatever else is no text. */
const TERMINAL = new RegExp(`${ESCAPE}\\[[\\d;?]*[ -/]*[@-~]`, 'g');
const CONTROL = /(?![\n\t])\p{Cc}/gu;

/**
 * A failure of a kind, with the kind's remedy unless another is given. The message keeps its end, where the cause
 * stands.
 */
export function failureOf(
  kind: FailureKind,
  message: string,
  more: { remedy?: string; stage?: string | null; log?: LogLocation | null } = {},
): Failure {
  return {
    kind,
    message: lastBytes(message.replace(TERMINAL, '').replace(CONTROL, ''), MAX_MESSAGE),
    remedy: more.remedy ?? FAILURES[kind].remedy,
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
    more: { remedy?: string; log?: LogLocation | null; cause?: unknown } = {},
  ) {
    super(message, more.cause === undefined ? undefined : { cause: more.cause });
    this.name = 'FlightlineError';
    this.failure = failureOf(kind, message, more);
  }
}
