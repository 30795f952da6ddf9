/**
 * The files with which a device accepts only images that the release's key signed: a public key, a registries.d
 * drop-in, and entries in policy.json (containers-policy.json(5)). See "Configuring devices to verify image signatures"
 * in the guide.
 */
import { z } from 'zod';
import type { FlightlineSpec } from '../spec/flightline-spec.ts';
import type { ReleaseRequest } from '../spec/request.ts';
import { expandTemplate } from '../base/template.ts';
import { FlightlineError } from '../failure/failure.ts';

/** Where podman and skopeo look on a device, for root. */
export const DEVICE_POLICY = '/etc/containers/policy.json';
export const DEVICE_REGISTRIES = '/etc/containers/registries.d';
export const DEVICE_KEYS = '/etc/pki/containers';

const Requirement = z.looseObject({ type: z.string() });
const Requirements = z.array(Requirement).min(1, 'is an empty list of requirements, which accepts nothing');
/** The parts of a policy.json that flightline reads. It keeps requirements of every kind as they are. */
export const SignaturePolicy = z.looseObject({
  default: Requirements,
  transports: z.record(z.string(), z.record(z.string(), Requirements)).optional(),
});
export type SignaturePolicy = z.infer<typeof SignaturePolicy>;
type PolicyRequirement = z.infer<typeof Requirement>;

/** What a device trusts. */
export const DeviceTrust = z.object({
  /** Name of the signing key, and of its file on the device. */
  key: z.string(),
  /** The public key, PEM. */
  publicKey: z.string(),
  /** Repositories whose images must be signed by it. */
  repositories: z.array(z.string()).min(1),
});
export type DeviceTrust = z.infer<typeof DeviceTrust>;

/** A file on a device: absolute path and text, mode 0644. */
export interface DeviceFile {
  path: string;
  text: string;
}

/** Path of a public key on a device. */
export function deviceKeyPath(key: string): string {
  return `${DEVICE_KEYS}/${key}.pub`;
}

/** How a policy asks for a key. */
export interface PolicyKey {
  path: string;
  /** Another key, either of which will do: while one replaces the other. */
  alsoPath?: string;
  /** For what was imported: signatures name the repository `from`, and it is pulled from `to` and below. */
  imported?: { from: string; to: string };
}

/**
 * The requirement that the guide gives devices. It has no `signedIdentity`: the default, `matchRepoDigestOrExact`,
 * refuses a re-tagged image. What was imported is judged in the same way, by the name that it was signed for.
 */
function signedByKey(key: string | PolicyKey): PolicyRequirement {
  const { path, alsoPath, imported }: PolicyKey = typeof key === 'string' ? { path: key } : key;
  return {
    type: 'sigstoreSigned',
    ...(alsoPath === undefined ? { keyPath: path } : { keyPaths: [path, alsoPath] }),
    ...(imported && {
      signedIdentity: { type: 'remapIdentity', prefix: imported.to, signedPrefix: imported.from },
    }),
  };
}

/** The policy.json of the guide: these repositories need the key's signature, `others` says what holds elsewhere. */
export function policyFor(
  repositories: readonly string[],
  key: string | PolicyKey,
  others: 'insecureAcceptAnything' | 'reject',
): SignaturePolicy {
  const docker = Object.fromEntries(repositories.map((repository) => [repository, [signedByKey(key)]]));
  return { default: [{ type: others }], transports: { docker } };
}

/** The result of {@link mergePolicy}. */
export interface MergedPolicy {
  policy: SignaturePolicy;
  /** What was kept, and what may surprise, in words. */
  notes: string[];
  /** Repositories that stay rejected, because an entry for them or for a parent rejects them. */
  rejected: string[];
}

/**
 * Adds the requirement to a policy for some repositories, and weakens nothing: each new entry has the requirements of
 * the closest scope, which applied before, and the new one. All must be met. A `reject` in an entry stays; only
 * `reject` as the default, for everything or for registries, does not, since it means "only what is listed". Pure.
 */
export function mergePolicy(
  existing: SignaturePolicy,
  repositories: readonly string[],
  key: string | PolicyKey,
): MergedPolicy {
  const before = existing.transports?.docker ?? {};
  const docker = { ...before };
  const notes: string[] = [];
  const rejected: string[] = [];
  for (const repository of repositories) {
    const scope = coveringScope(before, repository);
    const applied = scope === null ? (before[''] ?? existing.default) : before[scope]!;
    if (rejects(applied) && scope !== null) {
      rejected.push(repository);
      notes.push(`"${scope}" is rejected there, and stays so: ${repository} would be refused`);
      continue;
    }
    docker[repository] = withRequirement(rejects(applied) ? [] : applied, key);
    const others = docker[repository].filter((requirement) => !isOurs(requirement, key));
    if (others.length > 0) {
      const from = scope === null ? 'the default' : `"${scope}"`;
      notes.push(`${repository} must also meet what ${from} asks for (${others.map(({ type }) => type).join(', ')})`);
    }
    // An entry for a single name is closer than the repository's, and would bypass the key.
    for (const [name, requirements] of Object.entries(before)) {
      const isName = name.startsWith(`${repository}:`) || name.startsWith(`${repository}@`);
      if (!isName || rejects(requirements)) continue;
      docker[name] = withRequirement(requirements, key);
      notes.push(`${name} has an entry of its own, to which the key was added`);
    }
  }
  const general = before[''] ?? existing.default;
  if (general.every(({ type }) => type === 'insecureAcceptAnything')) {
    notes.push('images of repositories without an entry are accepted unsigned, as before');
  }
  return { policy: { ...existing, transports: { ...existing.transports, docker } }, notes, rejected };
}

/**
 * The closest scope of the docker transport for a repository, in the order of containers/image
 * (`docker/policyconfiguration`): the repository, its parents, its registry, then `*.` wildcards; null for none.
 */
function coveringScope(docker: Readonly<Record<string, unknown>>, repository: string): string | null {
  const scopes: string[] = [];
  let name = repository;
  for (;;) {
    scopes.push(name);
    const slash = name.lastIndexOf('/');
    if (slash < 0) break;
    name = name.slice(0, slash);
  }
  const [, ...labels] = name.replace(/:\d+$/, '').split('.');
  labels.forEach((_, index) => scopes.push(`*.${labels.slice(index).join('.')}`));
  return scopes.find((scope) => Object.hasOwn(docker, scope)) ?? null;
}

function rejects(requirements: readonly PolicyRequirement[]): boolean {
  return requirements.some(({ type }) => type === 'reject');
}

/** `true` for what {@link signedByKey} says, or said of one of two keys before either would do. */
function isOurs(requirement: PolicyRequirement, key: string | PolicyKey): boolean {
  // A signedIdentity may accept names that the default refuses.
  if (isSame(requirement, signedByKey(key))) return true;
  if (typeof key === 'string' || key.alsoPath === undefined) return false;
  const { imported } = key;
  return [key.path, key.alsoPath].some((path) => isSame(requirement, signedByKey({ path, imported })));
}

function isSame(left: PolicyRequirement, right: PolicyRequirement): boolean {
  const text = (one: PolicyRequirement) => JSON.stringify(Object.entries(one).sort(([a], [b]) => (a < b ? -1 : 1)));
  return text(left) === text(right);
}

function withRequirement(applied: readonly PolicyRequirement[], key: string | PolicyKey): PolicyRequirement[] {
  const kept = applied.filter((one) => one.type !== 'insecureAcceptAnything' && !isOurs(one, key));
  return [...kept, signedByKey(key)];
}

/**
 * The registries.d drop-in that makes podman look for signatures beside the images. The guide names the whole registry;
 * this names the repositories, since podman refuses a scope that two files name, and the registry may have a file
 * already.
 */
export function registriesDropIn(repositories: readonly string[]): DeviceFile {
  const scopes = repositories.map((repository) => `  ${repository}:\n    use-sigstore-attachments: true\n`);
  const name = repositories[0]!.replaceAll(/[/:]/g, '-');
  return { path: `${DEVICE_REGISTRIES}/${name}.yaml`, text: `docker:\n${scopes.join('')}` };
}

/** All files for a device. `policy` has the other entries of policy.json. */
export function deviceFiles(trust: DeviceTrust, policy: SignaturePolicy): DeviceFile[] {
  return [
    { path: deviceKeyPath(trust.key), text: trust.publicKey },
    registriesDropIn(trust.repositories),
    { path: DEVICE_POLICY, text: `${JSON.stringify(policy, null, 2)}\n` },
  ];
}

/**
 * The repositories that are pulled under a policy: devices pull the image, and nodes pull container disks to start
 * virtual machines. Tools that write disks fetch artifacts under their own rules.
 */
export function pulledRepositories(request: {
  repository: string;
  disks: readonly Pick<ReleaseRequest['disks'][number], 'publish' | 'repository'>[];
}): string[] {
  const disks = request.disks.filter(({ publish }) => publish === 'container-disk');
  return narrowed(
    request.repository,
    disks.map(({ repository }) => repository),
  );
}

/** The same for a spec, with its templates filled in. */
export function pulledRepositoriesOfSpec(spec: Pick<FlightlineSpec, 'image' | 'disks' | 'repositories'>): string[] {
  const { repository } = spec.image;
  const disks = spec.disks.filter(({ publish }) => publish === 'container-disk');
  const names = disks.map(({ type }) => expandTemplate(spec.repositories.disk, { repository, type }));
  return narrowed(
    repository,
    names.flatMap((name) => (name.ok ? [name.text] : [])),
  );
}

/** The entry of the image's repository also covers the repositories below it. */
function narrowed(image: string, disks: readonly string[]): string[] {
  return [image, ...new Set(disks.filter((disk) => !disk.startsWith(`${image}/`)))];
}

/** Reads a policy.json. `what` names it in a failure. @throws FlightlineError `device-policy` */
export function readPolicy(text: string, what: string): SignaturePolicy {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new FlightlineError('device-policy', `${what} is not JSON`);
  }
  const parsed = SignaturePolicy.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new FlightlineError('device-policy', `${what} is no policy: ${z.prettifyError(parsed.error)}`);
}
