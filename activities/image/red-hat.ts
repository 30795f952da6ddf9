/**
 * Requirements of a build on RHEL (guide, "RHEL-based"): a login to Red Hat's registry, and a registered host, whose
 * entitlements reach the steps that install packages.
 */
import { X509Certificate } from 'node:crypto';
import { lstat, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FlightlineError } from '../../model/failure/failure.ts';
import { isRedHat, RED_HAT_REGISTRY } from '../../model/oci/red-hat.ts';
import { CommandError, runCommand } from '../tools/process/command.ts';
import type { RegistryAccess } from '../tools/registry/access.ts';
import { loginFor } from '../tools/registry/login/login.ts';
import { repositoryOf } from '../tools/podman/build.ts';

/** Where a registered host keeps its entitlements (subscription-manager(8)). */
const ENTITLEMENTS = '/etc/pki/entitlement';
/** Certificates of the package servers. A host of another distribution may lack them. */
const AUTHORITIES = '/etc/rhsm/ca';
/** What podman mounts into every container (containers-mounts.conf(5)). The first existing file counts. */
const MOUNTS_FILES = ['/etc/containers/mounts.conf', '/usr/share/containers/mounts.conf'];
/** Milliseconds for a program that asks only this host. */
const LOOK_WITHIN = 60_000;

/**
 * Whether this host is registered; `unknown` without subscription-manager, as on a host that got its entitlements from
 * another one.
 */
type Identity = 'registered' | 'unregistered' | 'unknown';

/** An entitlement certificate. */
interface Entitlement {
  file: string;
  ends: Date;
}

/** A host's registration. */
export interface Registration {
  identity: Identity;
  entitlements: readonly Entitlement[];
}

/** What is missing for RHEL's packages, in words; null when nothing is. Pure. */
export function registrationProblem({ identity, entitlements }: Registration, now: Date): string | null {
  if (identity === 'unregistered') return 'the host is not registered: `subscription-manager identity` knows none';
  const [last] = [...entitlements].sort((left, right) => right.ends.getTime() - left.ends.getTime());
  if (!last) {
    const program = identity === 'unknown' ? 'subscription-manager is not installed, and ' : '';
    return `${program}${ENTITLEMENTS} has no entitlement certificate`;
  }
  return last.ends > now
    ? null
    : `the host's last entitlement certificate, ${last.file}, ended on ${last.ends.toISOString()}`;
}

/** Asks this host. */
export async function readRegistration(directory = ENTITLEMENTS): Promise<Registration> {
  return { identity: await readIdentity(), entitlements: await readEntitlements(directory) };
}

async function readIdentity(): Promise<Identity> {
  try {
    await runCommand('subscription-manager', ['identity'], { timeout: LOOK_WITHIN });
    return 'registered';
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return error.notFound ? 'unknown' : 'unregistered';
  }
}

async function readEntitlements(directory: string): Promise<Entitlement[]> {
  const names = await readdir(directory).catch(() => []);
  const found: Entitlement[] = [];
  for (const name of names.filter((one) => one.endsWith('.pem') && !one.endsWith('-key.pem')).sort()) {
    const file = join(directory, name);
    try {
      found.push({ file, ends: new Date(new X509Certificate(await readFile(file)).validTo) });
    } catch {
      // A file that is no certificate grants nothing.
    }
  }
  return found;
}

/** @throws FlightlineError `not-registered` when this host cannot get RHEL's packages. */
export async function requireRegistration(host: string): Promise<void> {
  const problem = registrationProblem(await readRegistration(), new Date());
  if (problem !== null) {
    throw new FlightlineError('not-registered', `${host} cannot build on ${RED_HAT_REGISTRY}: ${problem}`);
  }
}

/** @throws FlightlineError `registry-login` when there is no login for one of Red Hat's images. */
export async function requireRedHatLogin(
  access: RegistryAccess,
  images: readonly string[],
  who: string,
): Promise<void> {
  // A mirror asks for its own login, if for any.
  for (const image of images.filter((one) => isRedHat(one) && !access.isMirrored(repositoryOf(one)))) {
    if (await loginFor(access, repositoryOf(image))) continue;
    throw new FlightlineError('registry-login', `${who} has no login to ${RED_HAT_REGISTRY}, which ${image} needs`, {
      remedy:
        `\`skopeo login --authfile FILE ${RED_HAT_REGISTRY}\`, and name FILE for ${RED_HAT_REGISTRY} under ` +
        `\`registries\` in the worker configuration`,
    });
  }
}

/**
 * Volumes, `from:to:ro`, with this host's entitlements for a build or builder container; none where podman mounts them
 * itself.
 */
export async function entitlementVolumes(mountsFiles = MOUNTS_FILES, authorities = AUTHORITIES): Promise<string[]> {
  let mounts: string | null = null;
  for (const file of mountsFiles) mounts ??= await readFile(file, 'utf8').catch(() => null);
  const hasAuthorities = await lstat(authorities).then(
    () => true,
    () => false,
  );
  const paths = [ENTITLEMENTS, ...(hasAuthorities ? [authorities] : [])];
  return mountsSubscription(mounts ?? '') ? [] : paths.map((path) => `${path}:${path}:ro`);
}

/** `true` when podman itself mounts the host's subscription where images look for it, as on RHEL and Fedora. */
function mountsSubscription(mounts: string): boolean {
  return mounts
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
    .some((line) => line.split(':').at(-1)!.replace(/\/+$/, '') === '/run/secrets');
}
