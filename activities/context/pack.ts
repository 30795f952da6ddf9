/**
 * Packs a context: the directory, further build contexts, the Containerfile with its ignore file, and the builder
 * configuration (`CONTEXT_LAYOUT`).
 */
import { mkdir, readFile, realpath, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { FlightlineError } from '../../model/failure/failure.ts';
import { CONTEXT_ARTIFACT_TYPE, CONTEXT_LAYOUT, contextPlace } from '../../model/oci/labels.ts';
import { blobArtifact, MEDIA_TYPES, type Layout } from '../../model/oci/manifest.ts';
import { digestFile } from '../tools/registry/oci-layout.ts';
import { createTar } from '../tools/tar.ts';
import { allEnded } from '../tools/together.ts';
import { readIgnoreRules } from './files/ignore-rules.ts';
import { includedFiles } from './files/included-files.ts';
import { inspectContextTar, LARGEST_TEXT, type ContextFacts } from './inspect.ts';
import { listContext, type ContextEntry } from './files/listing.ts';
import { findPrivateKeys } from './files/private-keys.ts';

const { context, contexts, containerfile, ignoreSuffix, builderConfigs } = CONTEXT_LAYOUT;

/** The sources of an artifact. Paths are absolute. */
interface ContextSources {
  directory: string;
  containerfile: string;
  /** The ignore file that the spec names. Without it, podman's own rules find one. */
  ignoreFile?: string | null;
  /** null when the spec names none. */
  builderConfig: string | null;
  /** Further build contexts, by name. */
  buildContexts?: Readonly<Record<string, string>>;
  /** The ignore file must be in this directory, since the author of the context is not the user who packs it. */
  root?: string;
  /** The time of every file, in seconds since 1970; by default its own. */
  time?: number;
}

/** A packed context, whose archive is in the caller's directory. */
export interface PackedContext {
  /** The artifact, and its one blob, the archive. */
  artifact: { layout: Layout; blobs: readonly { digest: string; path: string }[] };
  /** Digest of the artifact. */
  digest: string;
  /** Bytes of the packed files. */
  size: number;
  /** The facts that the receiver will read. */
  facts: ContextFacts;
  /** Files that look like private keys, relative to the context; below its name for a further build context. */
  privateKeys: string[];
}

/** A directory that is packed. */
interface Tree {
  /** Its path in the archive. */
  place: string;
  /** Prefix of its files in messages. */
  shown: string;
  directory: string;
  entries: readonly ContextEntry[];
}

/**
 * Packs into an archive below `scratch`, and applies the receiver's checks.
 *
 * @param tarRuns called once another program does the work, and this one is free
 * @throws FlightlineError `context-invalid`
 */
export async function packContext(
  sources: ContextSources,
  scratch: string,
  tarRuns: () => void = () => undefined,
): Promise<PackedContext> {
  const rules = await readIgnoreRules(sources);
  const text = await readText(sources.containerfile);
  const needed = await includedFiles(sources.containerfile, text, sources.directory);
  const { directory } = sources;
  const trees: Tree[] = [
    { place: context, shown: '', directory, entries: await listContext(directory, rules, needed) },
  ];
  for (const [name, path] of Object.entries(sources.buildContexts ?? {})) trees.push(await buildContext(name, path));
  const parts = join(scratch, 'parts');
  const names = [...(await writeParts(sources, text, rules.content, parts)), ...(await linkTrees(trees, parts))];
  const list = join(scratch, 'list');
  const paths = trees.flatMap(({ place, entries }) => [
    Buffer.from(`${place}/.`),
    ...entries.map(({ path }) => Buffer.concat([Buffer.from(`${place}/./`), path])),
  ]);
  const all = [...names.map((name) => Buffer.from(name)), ...paths];
  await writeFile(list, Buffer.concat(all.flatMap((name) => [name, Buffer.alloc(1)])));
  const tar = join(scratch, 'context.tar.gz');
  const packing = createTar(parts, list, tar, { time: sources.time });
  tarRuns();
  await packing;
  const [facts, { digest, size }] = await allEnded([inspectContextTar(tar), digestFile(tar)]);
  const blob = { mediaType: MEDIA_TYPES.tarGzip, digest, size };
  const artifact = blobArtifact({ artifactType: CONTEXT_ARTIFACT_TYPE, blob });
  const keys = trees.map(async (tree) =>
    (await findPrivateKeys(tree.directory, tree.entries)).map((path) => `${tree.shown}${path}`),
  );
  return {
    artifact: { layout: artifact, blobs: [{ digest, path: tar }] },
    digest: artifact.root.digest,
    size,
    facts,
    privateKeys: (await Promise.all(keys)).flat(),
  };
}

/** Lists a further build context. Always includes its ignore file, even one that ignores itself. */
async function buildContext(name: string, directory: string): Promise<Tree> {
  const rules = await readIgnoreRules({ directory });
  const { file } = rules;
  const real = async (path: string) => relative(await realpath(directory), await realpath(path));
  const needed = new Set(file === null ? [] : [relative(directory, file), await real(file)]);
  const entries = await listContext(directory, rules, needed);
  return { place: contextPlace(name), shown: `${name}/`, directory, entries };
}

/** Links the trees into the directory that is packed. Returns the names of their parents for the archive. */
async function linkTrees(trees: readonly Tree[], directory: string): Promise<string[]> {
  const above = trees.length > 1 ? [contexts] : [];
  for (const name of above) await mkdir(join(directory, name), { mode: 0o755 });
  for (const tree of trees) await symlink(await realpath(tree.directory), join(directory, tree.place));
  for (const name of above) await utimes(join(directory, name), 0, 0);
  return above;
}

/** Writes the files beside the contexts. Returns their names for the archive. */
async function writeParts(
  sources: ContextSources,
  text: Buffer,
  ignoreFile: Buffer | null,
  directory: string,
): Promise<string[]> {
  await mkdir(join(directory, containerfile), { recursive: true, mode: 0o755 });
  // podman looks for the ignore file beside the Containerfile first.
  const name = `${containerfile}/${basename(sources.containerfile)}`;
  const texts = [{ name, content: text }];
  if (ignoreFile) texts.push({ name: `${name}${ignoreSuffix}`, content: ignoreFile });
  if (sources.builderConfig !== null) {
    texts.push({ name: builderConfigName(sources.builderConfig), content: await readText(sources.builderConfig) });
  }
  for (const part of texts) {
    await writeFile(join(directory, part.name), part.content, { mode: 0o644 });
    await utimes(join(directory, part.name), 0, 0);
  }
  await utimes(join(directory, containerfile), 0, 0);
  return [containerfile, ...texts.map((part) => part.name)];
}

async function readText(path: string): Promise<Buffer> {
  const cannot = (problem: string) => new FlightlineError('context-invalid', `${path} ${problem}`);
  const { size } = await stat(path).catch((error: Error) => {
    throw cannot(`cannot be read: ${error.message}`);
  });
  if (size > LARGEST_TEXT) throw cannot('is larger than 1 MiB');
  return readFile(path).catch((error: Error) => {
    throw cannot(`cannot be read: ${error.message}`);
  });
}

/** Name of the builder configuration in the artifact, by the file's extension. */
function builderConfigName(path: string): string {
  if (path.endsWith('.json')) return builderConfigs.json;
  if (path.endsWith('.toml')) return builderConfigs.toml;
  throw new FlightlineError('context-invalid', `builder.config ${path} is neither a .toml nor a .json file`);
}
