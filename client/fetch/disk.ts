/** Fetches a published disk as a device would take it, and goes on where an earlier attempt stopped. */
import { existsSync } from 'node:fs';
import { lstat, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { RegistryAccess } from '../../activities/tools/registry/access.ts';
import { downloadBlob } from '../../activities/tools/registry/download.ts';
import { digestFile, layoutBlobPath } from '../../activities/tools/registry/oci-layout.ts';
import { CommandError, runCommand } from '../../activities/tools/process/command.ts';
import { readPublicKey } from '../../activities/trust/keys.ts';
import { signedNames } from '../../activities/trust/signatures.ts';
import { fullReference, notFound, pullAsDevice, requireDigest } from '../../activities/trust/verify.ts';
import { architectureOf, type Architecture } from '../../model/base/host.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import { OCI } from '../../model/oci/labels.ts';
import { manifestKind, parseManifest, platformEntries, type Manifest } from '../../model/oci/manifest.ts';
import { UserError } from '../terminal/errors.ts';

/** A disk that was fetched. */
export interface FetchedDisk {
  /** Of the artifact or container disk. */
  digest: string;
  form: 'artifact' | 'container-disk';
  /** Of several, the one whose disk it is, as `linux/arm64`. */
  platform?: string;
  /** Absolute. */
  path: string;
  /** Bytes of the file, and its digest. */
  size: number;
  sha256: string;
}

/** Which disk is meant. */
interface Wanted {
  reference: string;
  architecture?: Architecture | undefined;
}

/** What holds a published disk: the blob, and what it is in. */
interface Held {
  /** The entry of an index; its architecture where there are several. */
  entry?: { digest: string; architecture?: Architecture | undefined } | undefined;
  form: FetchedDisk['form'];
  blob: { digest: string; size: number };
  /** Of an artifact. A container disk's is in its layer. */
  name: string | undefined;
}

/**
 * Fetches the disk of a reference into a directory, which is made. Only what the key signed for that name is written
 * there under its own name.
 *
 * @param wanted.publicKey path of the PEM file
 * @param wanted.architecture of a disk for several platforms, the one that is fetched; this machine's where absent
 * @param progress called with the bytes that are there, of so many
 * @throws FlightlineError as `verifyAsDevice`, or UserError when it is no disk or the file is there already
 */
export async function fetchDisk(
  access: RegistryAccess,
  wanted: Wanted & { publicKey: string; directory: string },
  progress: (bytes: number, total: number) => void,
): Promise<FetchedDisk> {
  const reference = fullReference(wanted.reference);
  const publicKeyFile = resolve(wanted.publicKey);
  const publicKey = await readPublicKey(publicKeyFile);
  const repository = access.repository(reference.repository);
  const stored = await repository.getManifest(reference.tag ?? reference.digest!);
  if (!stored) throw notFound(reference);
  const { digest } = stored;
  requireDigest(reference, digest);
  // Asked before gigabytes are on their way; a device's policy decides below.
  if ((await signedNames(access, reference.repository, digest, publicKey)).length === 0) {
    throw new FlightlineError('signature-rejected', `${wanted.reference}: the key has not signed ${digest}`);
  }
  const held = await heldBy(access, reference.repository, parseManifest(stored.bytes), wanted);
  if (!held) throw noDisk(wanted.reference);
  const entry = held.entry?.architecture && held.entry;
  const directory = resolve(wanted.directory);
  const named = held.name === undefined ? undefined : join(directory, held.name);
  if (named !== undefined) requireAbsent(named);

  // Named by the digest: the same command finds what an earlier one has left.
  const scratch = join(directory, `.flightline-fetch-${(entry?.digest ?? digest).slice(7, 19)}`);
  await mkdir(scratch, { recursive: true });
  const blob = layoutBlobPath(scratch, held.blob.digest);
  await downloadBlob(repository, held.blob, blob, (at) => progress(at, held.blob.size));
  // What an earlier attempt copied beside the blob may be another image.
  for (const name of ['index.json', 'oci-layout']) await rm(join(scratch, name), { force: true });
  const pull = { reference, publicKeyFile, architecture: entry?.architecture };
  await pullAsDevice(access, pull, `oci:${scratch}`);
  const pulled = parseManifest(await readFile(join(scratch, 'index.json')));
  requireDigest({ ...reference, digest: entry?.digest ?? digest }, pulled?.manifests?.[0]?.digest ?? 'nothing');

  const path = named ?? (await unpack(blob, scratch, directory, wanted.reference).catch(withoutScratch));
  if (named !== undefined) await rename(blob, path);
  await rm(scratch, { recursive: true, force: true });
  // An artifact's file is its blob, which has just been read whole.
  const file = named === undefined ? await digestFile(path) : held.blob;
  const platform = entry && `linux/${entry.architecture}`;
  return {
    digest,
    form: held.form,
    ...(platform && { platform }),
    path,
    size: file.size,
    sha256: file.digest.replace('sha256:', ''),
  };

  /** The name of a container disk's file is in its layer alone: where it is taken nothing is gone on with. */
  async function withoutScratch(error: unknown): Promise<never> {
    if (error instanceof UserError && error.kind === 'file-exists') await rm(scratch, { recursive: true, force: true });
    throw error;
  }
}

/** What a manifest holds; `undefined` unless it is one disk. */
async function heldBy(
  access: RegistryAccess,
  repository: string,
  manifest: Manifest | undefined,
  wanted: Wanted,
): Promise<Held | undefined> {
  if (manifest?.manifests) {
    const entry = entryFor(manifest, wanted);
    if (!entry) return undefined;
    const stored = await access.repository(repository).getManifest(entry.digest);
    const held = stored && (await heldBy(access, repository, parseManifest(stored.bytes), wanted));
    return held ? { ...held, entry } : undefined;
  }
  const [layer, ...others] = manifest?.layers ?? [];
  if (!manifest || !layer || others.length > 0) return undefined;
  const { kind, artifactType } = manifestKind(manifest);
  if (kind === 'image') return { form: 'container-disk', blob: layer, name: undefined };
  if (!artifactType?.startsWith('application/vnd.diskimage.')) return undefined;
  const title = layer.annotations?.[OCI.title];
  // A name that leads elsewhere is not taken.
  const name = title !== undefined && /^[^./\0][^/\0]*$/.test(title) ? title : 'disk';
  return { form: 'artifact', blob: layer, name };
}

/** The entry of an index: the only one, or that of a platform. @throws UserError where the platform has none */
function entryFor(index: Manifest, { reference, architecture }: Wanted): Held['entry'] {
  const entries = platformEntries(index);
  const isOne = index.manifests?.length === 1;
  if (isOne && architecture === undefined) return { digest: index.manifests![0]!.digest };
  const wanted = architecture ?? architectureOf(process.arch);
  const found = entries.find(({ platform }) => platform === `linux/${wanted}`);
  if (found) return { digest: found.digest, ...(!isOne && { architecture: wanted }) };
  const there = entries.map(({ platform }) => platform).join(', ') || 'no platform';
  const problem = `${reference} is for ${there}, not for linux/${wanted ?? process.arch}`;
  throw new UserError('platform-missing', problem, 'say which with --platform');
}

/** Unpacks the one file in `disk/` of a layer (KubeVirt user guide, "containerDisk"). @returns its path */
async function unpack(layer: string, scratch: string, directory: string, reference: string): Promise<string> {
  const listed = await tar(['--list', '--file', layer], reference);
  const names = listed.split('\n').filter((name) => /^(?:\.?\/)?disk\/[^./][^/]*$/.test(name));
  const [entry, ...others] = names;
  if (entry === undefined || others.length > 0) throw noDisk(reference);
  const path = join(directory, entry.slice(entry.lastIndexOf('/') + 1));
  requireAbsent(path);
  await tar(['--extract', '--file', layer, `--directory=${scratch}`, '--no-same-owner', entry], reference);
  const unpacked = join(scratch, entry);
  // Not a link, which may lead anywhere on this machine.
  if (!(await lstat(unpacked)).isFile()) throw noDisk(reference);
  await rename(unpacked, path);
  return path;
}

async function tar(args: readonly string[], reference: string): Promise<string> {
  try {
    return (await runCommand('tar', args, { environment: { LC_ALL: 'C' } })).stdout;
  } catch (error) {
    if (!(error instanceof CommandError) || error.notFound) throw error;
    throw new UserError('not-a-disk', `the layer of ${reference} cannot be unpacked: ${error.stderr}`, REMEDY);
  }
}

const REMEDY = 'name a disk, such as quay.io/acme/edge-camera/diskimage-qcow2:v1, or say which with --type';

function noDisk(reference: string): UserError {
  return new UserError('not-a-disk', `${reference} is neither a disk artifact nor a container disk`, REMEDY);
}

function requireAbsent(path: string): void {
  if (!existsSync(path)) return;
  const remedy = `boot it with \`flightline boot ${path}\`, move it away, or name another directory (--output)`;
  throw new UserError('file-exists', `${path} is there already`, remedy);
}
