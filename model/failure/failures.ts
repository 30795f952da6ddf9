/** Every kind of failure, with meaning and remedy. `npm run docs` writes the table of docs/failures.md from it. */
import { elsewhere, failing, holding, holdingForSpec, retrying, type FailureRow } from './failure-row.ts';
import { NOT_ALLOWED } from './not-allowed.ts';

const CHECK_IMAGE = 'check the name of the image, and that the registry has it';

const ROWS = {
  // The request itself.
  'invalid-input': failing('a key, a reference or the request itself is wrong', 'correct what the message names'),
  'context-invalid': failing(
    'the context has a device or a path that leaves it, git has no such reference, or there is a second `config.yaml`',
    'check the context directory',
  ),
  'containerfile-invalid': failing(
    'the Containerfile cannot be read, or names an image under `localhost/`',
    'correct the Containerfile',
  ),
  'image-not-found': failing(
    'the registry has no such base or builder image',
    'check the name and tag of the image in the Containerfile or spec, and that the registry has it',
    { promotion: CHECK_IMAGE, request: CHECK_IMAGE, client: CHECK_IMAGE },
  ),
  'platform-missing': failing(
    'a base, or an image that installs, is not there for the platform of the release',
    'name an image that is there for the platform, or another platform in image.platforms',
  ),
  'not-bootc': failing(
    'the base or the built image lacks the label `containers.bootc`',
    'build on a bootable base image: one with the label containers.bootc=1',
  ),
  'tag-exists': failing(
    'the tag exists with other content',
    'choose a new tag (--tag), or set image.tagPolicy: move to move this one',
  ),
  ...NOT_ALLOWED,
  'deletion-disabled': {
    ...failing(
      'the registry does not delete manifests; nothing was pruned',
      'let the registry delete (distribution: REGISTRY_STORAGE_DELETE_ENABLED=true), or prune with its own tools',
    ),
    then: null,
  },
  'webhook-missing': failing(
    'the control worker has no webhook of the name that `notify` gives',
    "ask the operator to add the webhook to the control worker's configuration, or correct notify in the spec",
  ),
  'webhook-refused': {
    ...failing(
      'a webhook answered 3xx or 4xx; only this delivery failed, not its release',
      'look at the server of the webhook, and correct its url in the worker configuration; it is not told again',
    ),
    then: null,
  },
  'boot-test': failing(
    'the disk did not print the expected line on its serial console; the message has the last lines',
    'read the console (`flightline logs RELEASE boot-test`), and fix the image or bootTest',
  ),
  rejected: failing(
    'a person rejected the release that waited for approval; the message says who and why',
    'ask who rejected it what to change',
  ),
  'back-in-time': {
    ...failing(
      'the promotion would move a tag to an older release',
      'promote what is newer, or move it back on purpose: `flightline rollback`, or `promote --allow-older`',
    ),
    then: null,
  },
  // What a person can fix while the branch is held.
  'approval-needed': {
    ...holding(
      'everything is verified, no tag has moved, and a person must approve',
      '`flightline approve RELEASE --comment …`, or `flightline reject RELEASE --comment …`',
      { 'ended release': { action: 'have it approved in time', then: 'start again' } },
    ),
    then: null,
  },
  containerfile: holdingForSpec(
    'a step of the Containerfile failed; the message has its last lines',
    'fix the Containerfile',
  ),
  'image-lint': holdingForSpec(
    '`bootc container lint`, run in the built image, found an error',
    'fix in the Containerfile what `bootc container lint` names',
  ),
  'builder-configuration': holdingForSpec(
    'the builder refused its configuration, a disk type or the root file system',
    'fix builder.config or the disk types',
  ),
  'image-unsuitable': holdingForSpec(
    'the builder cannot make such a disk of this image: something that it needs is not in it',
    'change the Containerfile or its base, or ask for other disk types',
  ),
  sbom: holding('the host has no Syft, or Syft failed', 'install Syft on the build host, or leave out image.sbom'),
  gate: holdingForSpec(
    'a gate refused the image or a disk: the message has its last lines, and `flightline logs` its report',
    'let a person waive it (`flightline approve RELEASE --waive GATE --comment WHY`), or fix what it found',
    { 'ended release': 'read its report (`flightline logs RELEASE gate`), and fix what it found' },
  ),
  rechunk: holding('the program of image.rechunk failed', 'read its log (`flightline logs RELEASE rechunk`)'),
  builder: holding(
    'the builder failed, or did not leave exactly one complete file for each type',
    "read the builder's log (`flightline logs RELEASE disk-build`) and fix the cause",
  ),
  'registry-login': holding(
    'the worker has no login for the registry, or it has expired',
    "renew the registry login in the worker's authfile",
    { client: 'log in here with `skopeo login REGISTRY`' },
  ),
  'registry-denied': holding(
    "the worker's account may not push to the repository",
    "give the worker's registry account the right to push to the repository",
    { client: 'log in with an account that has the right (`skopeo login REGISTRY`)' },
  ),
  'key-missing': holding(
    'there is no key of that name, one of its files cannot be read, or the two are not a pair',
    "put the key where the sign worker's configuration says, or add it there",
    { client: 'name the public key (the .pub file of `flightline keygen`) with --key' },
  ),
  'key-passphrase': holding(
    'the passphrase does not open the private key',
    'correct the passphrase file of the key on the sign worker',
    { client: 'type the passphrase of this private key' },
  ),
  'signature-rejected': holding(
    'a device would refuse what is in the registry',
    'find out who signed or changed the image: a device would refuse it',
    {
      client:
        'a device with this key would refuse it: check that the key is the right one, and that this name was signed',
    },
  ),
  'device-policy': holdingForSpec(
    "with `verification: bake`, the image's own policy rejects the repository or the image, or accepts another key",
    'fix /etc/containers/policy.json in the image (Containerfile or base)',
  ),
  'tag-moved': holding(
    'someone else pushed the tag while the release ran',
    'someone else pushed this tag: delete it or choose another tag',
    {
      promotion: 'find out who moved the tag',
      request: 'find out who moved the tag',
      client: 'find out who moved the tag, or ask for the digest that it has now',
    },
  ),
  'disk-vanished': holding(
    'an image or disk is gone from its host or the registry, repeatedly or after every host had cleaned up',
    'find out what removed it (garbage collection of the registry, or another hand)',
  ),
  'enrollment-denied': holding(
    'the account may not request certificates or read the enrollment configuration',
    "give the host's Flight Control account the role flightctl-org-admin or flightctl-admin",
  ),
  enrollment: holding(
    'the agent configuration is unusable (expired, for another key, not YAML), or flightctl failed otherwise',
    'fix what the message names',
  ),
  'enrollment-binding': holdingForSpec(
    'the image has `/etc/flightctl/config.yaml` with late binding, or lacks it with early binding',
    'make the Containerfile and enrollment.binding say the same of /etc/flightctl/config.yaml',
  ),
  'host-setup': holding(
    'the host lacks a program, a right or a setting, or `--keep-files` found another file of the same name',
    'run `flightline doctor` on the host and fix what it finds',
    { client: 'install or fix here what the message names' },
  ),
  stalled: holding(
    'a step did nothing for 20 minutes: it printed nothing, and a builder did not compute, read or write either',
    'it did nothing for a long time: look at the log and the host',
    { client: 'it did nothing for a long time: see that what it waited for answers' },
  ),
  'retries-exhausted': holding(
    'a fault that should have passed lasted too long; the message has the last failure',
    'the fault lasted too long: see that what it names works',
  ),
  // What usually passes by itself. A person reads the remedy when it did not.
  registry: retrying('a registry, package repository or git server does not answer', 'see that the registry answers'),
  'enrollment-service': retrying('Flight Control does not answer, or not in time', 'see that Flight Control answers'),
  webhook: {
    ...retrying(
      'a webhook does not answer, or answers 5xx; the release goes on meanwhile',
      "see that the webhook's server answers",
    ),
    then: null,
  },
  'container-lost': retrying(
    'the builder container was ended from outside',
    "look in the host's journal for what ended the container",
  ),
  'out-of-memory': elsewhere(
    'the kernel killed the build or the builder for lack of memory',
    'give the build host more memory, or lower limits.disk in its worker configuration',
  ),
  'disk-full': elsewhere(
    'the host has no space left, or is too small for the release',
    'free space on the build host',
    { client: 'free space in the temporary directory, or set TMPDIR to a bigger one' },
  ),
  'loop-device': elsewhere('the builder got no loop device', 'free loop devices on the build host (losetup -a)'),
  architecture: elsewhere(
    'the build host does not build for this architecture, or its podman runs no program of it',
    'install emulation there (qemu-user-static and binfmt_misc), or add a build host of the architecture',
  ),
  'secret-missing': elsewhere(
    'the build host has no secret of that name, or cannot use its file',
    "put the secret where the build host's worker configuration says, or add it there and restart the worker",
  ),
  'enrollment-login': elsewhere(
    'the build host is not logged in to Flight Control, its login has expired, or it does not trust the server',
    "renew the host's login (`flightctl login --config-dir DIR …`, as flightctl.configDirectory names it)",
  ),
  'not-registered': elsewhere(
    'a base is from registry.redhat.io, and the host is not registered or its entitlements have expired',
    'register the build host (`subscription-manager register`); /etc/pki/entitlement must have a valid certificate',
  ),
  'worker-restarted': retrying('a worker was restarted during the step', 'see that the worker keeps running'),
  'no-host': retrying(
    'no build worker of the host answers the request for a log',
    'start a build worker: `flightline worker --role build`',
  ),
  'no-slot': retrying(
    'the host is busy or excluded; the release waits without limit',
    'wait until the host has a free slot, or add a build host',
  ),
  unexpected: retrying(
    'an error that flightline does not know',
    "read the worker's log; if it happens again, report it with that log",
    { client: 'if it happens again, report it with this message' },
  ),
} satisfies Record<string, FailureRow>;

export type FailureKind = keyof typeof ROWS;

/** What each kind of failure means for a release, and what a person does about it. */
export const FAILURES: Readonly<Record<FailureKind, FailureRow>> = ROWS;

export const FAILURE_KINDS = Object.keys(ROWS) as [FailureKind, ...FailureKind[]];
