/**
 * The operator's worker configuration, by default `/etc/flightline/worker.yaml`. It grants rights; a spec never does.
 */
import { BUILDER_OPTIONS } from './disk.ts';
import { z } from 'zod';
import { ByteSize, parseByteSize } from '../base/byte-size.ts';
import { ARCHITECTURES, HostName } from '../base/host.ts';
import { repositoryIsWithin } from '../oci/reference.ts';

/** Where a worker looks without `--config`. */
export const DEFAULT_WORKER_CONFIGURATION = '/etc/flightline/worker.yaml';

/** Default for one command of `flightctl` (seconds). */
const FLIGHTCTL_REQUEST_TIMEOUT = 120;

const AbsolutePath = z.string().regex(/^\//, 'must be an absolute path');
const Name = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/, 'is a name: letters, digits, ".", "_" and "-"');
/** A registry, or a repository in one. Matches itself and all below it, by path segment. */
const Scope = z.string().regex(/^[A-Za-z0-9[][^\s@]*$/, 'is a registry or repository without tag');

/** A repository with all below it, or one of its tags; `*` in the tag stands for any text. */
const ApprovalTarget = z
  .string()
  .regex(/^[A-Za-z0-9[][^\s@]*$/, 'is a repository, or REPOSITORY:TAG with "*" for any text in the tag');
const Percent = z.string().regex(/^(?:\d|[1-9]\d)%$/, 'is a part of the storage such as 20%');

/** `20%` as 0.2. */
export function partOf(percent: string): number {
  return Number(percent.replace('%', '')) / 100;
}

/** A key that cosign reaches. A PIN in it would be seen on command lines. */
const KmsUri = z
  .string()
  .regex(
    /^(?:(?:awskms|gcpkms|azurekms|hashivault):\/\/|pkcs11:)[^\s\0]+$/,
    'is no awskms://, gcpkms://, azurekms://, hashivault:// or pkcs11: address',
  )
  .refine((uri) => !/pin-(?:value|source)=/.test(uri), 'holds a PIN: put it into passphraseFile');

const Key = z
  .strictObject({
    privateKey: AbsolutePath.optional().describe('only a sign worker has it'),
    kms: KmsUri.optional().describe('a key that is not a file, by which cosign signs, instead of privateKey'),
    publicKey: AbsolutePath,
    passphraseFile: AbsolutePath.optional().describe('for kms: of the PIN of a PKCS#11 token'),
    repositories: z.array(Scope).min(1).describe('the repositories that the key may sign for, and what is below them'),
  })
  .refine(({ privateKey, kms }) => privateKey === undefined || kms === undefined, {
    message: 'a key has a privateKey or a kms, not both',
  })
  .refine(
    ({ privateKey, passphraseFile, kms }) =>
      kms === undefined
        ? (privateKey === undefined) === (passphraseFile === undefined)
        : passphraseFile === undefined || kms.startsWith('pkcs11:'),
    { message: 'privateKey and passphraseFile belong together: a sign worker needs both, another worker neither' },
  );
export type SigningKey = z.infer<typeof Key>;

const Registry = z.strictObject({
  location: Scope,
  authfile: AbsolutePath.optional(),
  insecure: z.boolean().default(false).describe('plain HTTP or an unverified certificate'),
  mirrors: z
    .array(Scope)
    .min(1)
    .optional()
    .describe('registries or repositories that are asked before it for images that others publish, in this order'),
});
export type RegistryConfiguration = z.infer<typeof Registry>;

/** A file for `podman build --secret id=…,src=FILE`, where a comma would end its path. */
const SecretFile = AbsolutePath.regex(/^[^,]*$/, 'must not hold a comma');

const Secret = z.strictObject({
  file: SecretFile,
  repositories: z.array(Scope).min(1).describe('the repositories whose images may use it, and what is below them'),
});
export type NamedSecret = z.infer<typeof Secret>;

/** A program by its name on PATH, or by its absolute path. */
const Program = z.string().regex(/^(?:\/[^\0]*|[A-Za-z0-9][A-Za-z0-9._-]*)$/, 'is neither a name nor an absolute path');

const FlightctlSection = z.strictObject({
  configDirectory: AbsolutePath.describe("the client's login: what `flightctl login --config-dir DIR` wrote"),
  repositories: z.array(Scope).min(1).describe('the repositories whose images may enroll devices, and what is below'),
  program: Program.default('flightctl'),
  requestTimeout: z
    .number()
    .int()
    .min(2)
    .max(600)
    .default(FLIGHTCTL_REQUEST_TIMEOUT)
    .describe('seconds in which the server must have issued a certificate'),
});
export type FlightctlConfiguration = z.infer<typeof FlightctlSection>;

/** From the most verbose to the least. */
export const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error'] as const;
export const LogLevel = z.enum(LOG_LEVELS);
export type LogLevel = z.infer<typeof LogLevel>;

/** The address of a metrics endpoint. The SDK takes no names. */
export const ListenAddress = z
  .string()
  .regex(
    /^(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9A-Fa-f:.]+\]):\d{1,5}$/,
    'is no address with a port, such as 127.0.0.1:9464',
  );

export const WorkerConfiguration = z.strictObject({
  host: HostName.optional().describe("default is the machine's host name"),
  directories: z.strictObject({ work: AbsolutePath.default('/var/lib/flightline') }).prefault({}),
  architectures: z
    .array(z.enum(ARCHITECTURES))
    .min(1)
    .optional()
    .describe("what this host builds for; default is the machine's own architecture, others need emulation"),
  emulatedDisks: z
    .boolean()
    .default(false)
    .describe("whether disks of architectures other than the machine's own are made here, by emulation"),
  limits: z
    .strictObject({
      build: z.number().int().min(1).max(64).default(2),
      disk: z.number().int().min(1).max(64).default(1),
      transfer: z.number().int().min(1).max(64).default(2),
    })
    .prefault({}),
  cleaning: z
    .strictObject({
      below: Percent.default('10%').describe('images that no release needs go when less of the storage is free'),
      until: Percent.default('20%').describe('and until so much of it is free'),
    })
    .refine(({ below, until }) => partOf(until) >= partOf(below), { message: 'until must not be less than below' })
    .prefault({}),
  builders: z
    .array(Scope)
    .default(['quay.io/centos-bootc/bootc-image-builder'])
    .describe('builder images that may run privileged here'),
  gates: z
    .array(Scope)
    .default([])
    .describe('gate images that may look at images and disks here, without privileges and network'),
  gatesWithNetwork: z.array(Scope).default([]).describe('gate images that may have a network here'),
  rechunkers: z
    .array(Scope)
    .default(['quay.io/coreos/chunkah'])
    .describe('images of programs that may rewrite the layers of images here; that of rpm-ostree runs privileged'),
  forbiddenBuilderOptions: z
    .array(z.enum(BUILDER_OPTIONS))
    .default([])
    .describe('keys of builder.arguments that no spec may have, and network for builder.network'),
  keys: z.record(Name, Key).default({}),
  registries: z.array(Registry).default([]),
  secrets: z.record(Name, Secret).default({}).describe('files that builds may use, by name'),
  flightctl: FlightctlSection.optional().describe('how enrollment certificates are asked for'),
  git: z
    .strictObject({ schemes: z.array(z.enum(['https', 'ssh', 'http', 'file', 'git'])).default(['https']) })
    .prefault({}),
  context: z
    .strictObject({
      unpackedSize: ByteSize.refine((text) => parseByteSize(text) !== 0, 'lets no context through')
        .default('20 GiB')
        .describe('most that a context may have when unpacked'),
    })
    .prefault({}),
  metrics: z
    .strictObject({ listen: ListenAddress.describe('address and port, such as 127.0.0.1:9464') })
    .optional()
    .describe('where Prometheus reads the metrics of this worker; nowhere without it'),
  health: z
    .strictObject({ listen: ListenAddress.describe('address and port, such as 127.0.0.1:9474') })
    .optional()
    .describe('where this worker answers /healthz and /readyz; nowhere without it'),
  workerVersioning: z
    .boolean()
    .default(false)
    .describe('whether releases stay with the version of the control worker that they began with'),
  logLevel: LogLevel.optional().describe('the least that is logged; default is info'),
  furtherRepositories: z
    .record(Scope, z.array(Scope))
    .default({})
    .describe('by repository: where its releases may write besides what is below it'),
  approvals: z
    .array(ApprovalTarget)
    .default([])
    .describe('repositories, or REPOSITORY:TAG with * in the tag, whose tags move only when a person approved'),
  webhooks: z
    .record(Name, z.strictObject({ url: z.url({ protocol: /^https?$/ }), hmacSecret: Name.optional() }))
    .default({})
    .describe('where releases may send notifications, by name'),
  tools: z
    .strictObject({
      syft: Program.default('syft').describe('Syft, which lists what is in an image'),
      cosign: Program.default('cosign').describe('cosign 2 or later, which signs with keys that have a kms'),
    })
    .prefault({})
    .describe('programs of the operator, by name on PATH or by absolute path'),
  builderId: z
    .url()
    .optional()
    .describe('who builds here, as provenance names it; default is urn:flightline:worker:HOST of the sign worker'),
  webUi: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe("address of Temporal's Web UI, for links in notifications"),
});

/** The parsed worker configuration, with defaults filled in. */
export type WorkerConfiguration = z.infer<typeof WorkerConfiguration>;

/** The most specific registry entry that covers a repository; `undefined` when none does. */
export function registryFor(
  configuration: Pick<WorkerConfiguration, 'registries'>,
  repository: string,
): RegistryConfiguration | undefined {
  return configuration.registries
    .filter((registry) => repositoryIsWithin(repository, registry.location))
    .sort((left, right) => right.location.length - left.location.length)[0];
}

/** A repository's names in the mirrors of its registry. */
export function mirrorsOf(configuration: Pick<WorkerConfiguration, 'registries'>, repository: string): string[] {
  const registry = registryFor(configuration, repository);
  return (registry?.mirrors ?? []).map((mirror) => mirror + repository.slice(registry!.location.length));
}

/** `true` when a scope of the list covers the repository. */
export function isAllowed(scopes: readonly string[], repository: string): boolean {
  return scopes.some((scope) => repositoryIsWithin(repository, scope));
}

/** `true` when a git URL has one of these schemes. */
export function isAllowedScheme(schemes: readonly string[], url: string): boolean {
  return schemes.includes(url.slice(0, url.indexOf('://')));
}
