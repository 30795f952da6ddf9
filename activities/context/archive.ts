/**
 * A context on its way: packed into one artifact, sent to the registry, fetched from it (DESIGN §3.1). The client sends local
 * directories, a control worker sends git trees, and build hosts fetch either in the same way.
 */
import { lstat, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative, resolve, sep } from 'node:path';
import { FlightlineError } from '../../model/release/failure.ts';
import { CONTEXT_ARTIFACT_TYPE, CONTEXT_LAYOUT } from '../../model/oci/labels.ts';
import { blobArtifact, MEDIA_TYPES, parseManifest } from '../../model/oci/manifest.ts';
import { contextTag } from '../../model/oci/reference.ts';
import type { ContextSource } from '../../model/spec/request.ts';
import { isAllowedScheme } from '../../model/spec/worker-configuration.ts';
import { findPrivateKeys, listContextFiles } from './files.ts';
import { type ContextFacts, inspectContextTar, unpackContextTar, writeContextTar } from './tar.ts';
import { fetchCommit } from '../tools/git.ts';
import { digestFile, layoutBlobPath, writeLayout } from '../tools/registry/oci-layout.ts';
import type { RegistryAccess } from '../tools/registry/access.ts';
import { headManifest } from '../tools/registry/registry.ts';
import { copyImage } from '../tools/registry/skopeo.ts';

/** Milliseconds in which a context of any size must be transferred, and in which a transfer that moves nothing is ended. */
const TRANSFER = { timeout: 6 * 60 * 60_000, stall: 4 * 60_000 };

/** A context as it lies in a registry. */
export interface ContextArtifactName {
  repository: string;
  digest: string;
}

/** A packed context, as an OCI layout in a directory of the caller's. */
export interface PackedContext {
  /** The layout's directory. */
  layout: string;
  /** The packed files. */
  tar: string;
  /** Digest of the artifact. */
  digest: string;
  /** Bytes of the packed files. */
  size: number;
  /** Files of the context that look like private keys, relative to it. */
  privateKeys: string[];
}

/**
 * Packs a directory, its Containerfile and builder configuration (absolute paths) into an OCI layout below `scratch`.
 *
 * @throws FlightlineError `context-invalid`
 */
export async function packContext(
  sources: { directory: string; containerfile: string; builderConfig: string | null },
  scratch: string,
): Promise<PackedContext> {
  const files = await listContextFiles(sources.directory);
  const tar = join(scratch, 'context.tar.gz');
  await writeContextTar({ ...sources, files }, tar);
  const { digest, size } = await digestFile(tar);
  const artifact = blobArtifact({
    artifactType: CONTEXT_ARTIFACT_TYPE,
    blob: { mediaType: MEDIA_TYPES.tarGzip, digest, size },
  });
  const layout = join(scratch, 'layout');
  await writeLayout(layout, artifact, [{ digest, path: tar }]);
  return {
    layout,
    tar,
    digest: artifact.root.digest,
    size,
    privateKeys: await findPrivateKeys(sources.directory, files),
  };
}

/** Sends a packed context, tagged `sha256-<hex>` so that no collector takes it while a release waits; nothing is sent twice. */
export async function sendContext(access: RegistryAccess, repository: string, packed: PackedContext): Promise<void> {
  const tag = contextTag(packed.digest);
  if ((await headManifest(access, repository, tag)) === packed.digest) return;
  await copyImage(access, { source: `oci:${packed.layout}`, destination: `docker://${repository}:${tag}` }, TRANSFER);
}

/** Packs a commit of a git repository and sends it, as the client does with a directory. @returns the artifact's digest */
export async function sendGitContext(
  access: RegistryAccess,
  repository: string,
  source: GitSource,
  schemes: readonly string[],
): Promise<string> {
  return withGitContext(source, schemes, async (packed) => {
    await sendContext(access, repository, packed);
    return packed.digest;
  });
}

type GitSource = Extract<ContextSource, { kind: 'git' }>;

/** Packs a commit of a git repository for the time of `body`. */
export async function withGitContext<Result>(
  source: GitSource,
  schemes: readonly string[],
  body: (packed: PackedContext) => Promise<Result>,
): Promise<Result> {
  if (!isAllowedScheme(schemes, source.url)) {
    throw new FlightlineError('git-not-allowed', `git contexts may come by ${schemes.join(', ') || 'no scheme'} here`);
  }
  return withScratch(async (scratch) => {
    const tree = join(scratch, 'tree');
    await mkdir(tree);
    await fetchCommit(source.url, source.ref, tree, schemes);
    await rm(join(tree, '.git'), { recursive: true });
    const directory = await insideTree(tree, tree, source.subdirectory);
    const packed = await packContext(
      {
        directory,
        containerfile: await insideTree(tree, directory, source.containerfile),
        builderConfig: source.builderConfig && (await insideTree(tree, directory, source.builderConfig)),
      },
      scratch,
    );
    return body(packed);
  });
}

/** Reads what must be known of a context before anything is built. @throws FlightlineError `context-invalid` */
export async function inspectContext(access: RegistryAccess, artifact: ContextArtifactName): Promise<ContextFacts> {
  return withScratch(async (scratch) => inspectContextTar(await fetchTar(access, artifact, scratch)));
}

/**
 * Unpacks a context into a directory, which is emptied first: `context/`, `Containerfile` and, if there is one, the builder
 * configuration, whose path is returned.
 */
export async function fetchContext(
  access: RegistryAccess,
  artifact: ContextArtifactName,
  directory: string,
): Promise<{ builderConfig: string | null }> {
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true, mode: 0o700 });
  await withScratch(async (scratch) => unpackContextTar(await fetchTar(access, artifact, scratch), directory));
  const names: string[] = Object.values(CONTEXT_LAYOUT.builderConfigs);
  const found = (await readdir(directory)).find((name) => names.includes(name));
  return { builderConfig: found ? join(directory, found) : null };
}

async function fetchTar(access: RegistryAccess, artifact: ContextArtifactName, scratch: string): Promise<string> {
  const layout = join(scratch, 'fetched');
  if ((await headManifest(access, artifact.repository, artifact.digest)) === null) {
    throw new FlightlineError(
      'context-invalid',
      `the context ${artifact.repository}@${artifact.digest} is not in the registry`,
    );
  }
  await copyImage(
    access,
    { source: `docker://${artifact.repository}@${artifact.digest}`, destination: `oci:${layout}` },
    TRANSFER,
  );
  const manifest = parseManifest(await readFile(layoutBlobPath(layout, artifact.digest)));
  const layer = manifest?.layers?.[0];
  if (manifest?.artifactType !== CONTEXT_ARTIFACT_TYPE || manifest.layers?.length !== 1 || !layer) {
    throw new FlightlineError('context-invalid', `${artifact.repository}@${artifact.digest} is no context artifact`);
  }
  return layoutBlobPath(layout, layer.digest);
}

/** A path of a git tree, absolute. Neither `..` nor a link of the repository leads out of the tree. */
async function insideTree(tree: string, from: string, path: string): Promise<string> {
  const absolute = resolve(from, path);
  const parts = relative(tree, absolute).split(sep);
  if (parts[0] === '..') throw new FlightlineError('context-invalid', `"${path}" leaves the git repository`);
  for (let length = 1; length <= parts.length; length++) {
    const part = join(tree, ...parts.slice(0, length));
    const facts = await lstat(part).catch(() => undefined);
    if (!facts) throw new FlightlineError('context-invalid', `the git repository has no "${path}"`);
    if (facts.isSymbolicLink())
      throw new FlightlineError('context-invalid', `"${path}" of the git repository is a link`);
  }
  return absolute;
}

async function withScratch<Result>(body: (directory: string) => Promise<Result>): Promise<Result> {
  const directory = await mkdtemp(join(tmpdir(), 'flightline-context-'));
  try {
    return await body(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
