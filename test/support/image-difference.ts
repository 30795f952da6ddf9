/** The differences of two images, in files and configuration, read without the code under test. */
import { execa } from 'execa';
import type { Storage } from './storage.ts';

/** Labels that docs/spec.md lists as flightline's. */
const OWN_LABELS =
  /^(?:io\.flightline\.inputs|org\.opencontainers\.image\.(?:revision|source|version|created|base\.(?:name|digest)))$/;

/** A published image, by digest, and the id of one in the storage that it should be like. */
export interface ImagePair {
  published: string;
  own: string;
}

/**
 * The differences of each pair of images. Programs are started once for all pairs, since starting them takes most of
 * the time.
 *
 * @param storage holds `own`; the published images are pulled there, so that what lies in the registry is looked at
 * @param since as of {@link treesOf}
 */
export async function differencesOf(storage: Storage, pairs: readonly ImagePair[], since: number): Promise<string[][]> {
  const published = pairs.map((pair) => pair.published);
  await storage.podman('pull', '--quiet', '--tls-verify=false', ...published);
  const images = [...published, ...pairs.map((pair) => pair.own)];
  try {
    const sides = await lookedAt(storage.podman, images, since);
    return pairs.map((_, index) => {
      const [theirs, ours] = [sides[index]!, sides[pairs.length + index]!];
      return [...mapDifference(theirs.tree, ours.tree), ...mapDifference(theirs.facts, ours.facts)];
    });
  } finally {
    // Not `--all`: a build that runs at the same time may have mounted others.
    await storage.podman('image', 'unmount', '--force', ...images);
  }
}

async function lookedAt(run: Storage['podman'], images: readonly string[], since: number) {
  const inspected = JSON.parse(await run('image', 'inspect', ...images)) as Inspected[];
  const roots = await mountsOf(
    run,
    inspected.map(({ Id }) => Id),
  );
  const trees = await treesOf(roots, since);
  return roots.map((root, index) => ({ tree: trees.get(root)!, facts: configurationOf(inspected[index]!) }));
}

/** Mounts images by their ids; the directories, in their order. */
async function mountsOf(run: Storage['podman'], ids: readonly string[]): Promise<string[]> {
  // podman does not answer in the order of its arguments.
  const listed = JSON.parse(await run('image', 'mount', '--format=json', ...ids)) as Record<string, string>[];
  const places = new Map(listed.map(({ id, mountpoint }) => [id, mountpoint!]));
  return ids.map((id) => places.get(id)!);
}

/**
 * Everything below each directory that an image decides, by path. Names are bytes as Latin-1. A time counts when it
 * is before `since` (seconds since 1970): later files are as old as the step that made them.
 */
async function treesOf(roots: readonly string[], since: number): Promise<Map<string, Map<string, string>>> {
  const options = { encoding: 'latin1' } as const;
  const places = [...new Set(roots)];
  const trees = new Map(places.map((root) => [root, new Map<string, string[]>()]));
  const rootOf = (path: string) => places.find((root) => path.startsWith(`${root}/`))!;
  const factsAt = (path: string) => {
    const root = rootOf(path);
    return trees.get(root)!.get(path.slice(root.length + 1));
  };
  const format = ['%H', '%P', '%y', '%m', '%U', '%G', '%s', '%T@', '%i', '%n', '%l'].join('\\0') + '\\0';
  const { stdout } = await execa('find', [...places, '-mindepth', '1', '-printf', format], options);
  const fields = stdout.split('\0');
  const links = new Map<string, string[]>();
  for (let at = 0; at + 10 < fields.length; at += 11) {
    const [root, path, type, mode, uid, gid, size, time, inode, count, target] = fields.slice(at, at + 11) as [
      string,
      ...string[],
    ];
    const made = Number(time) < since ? time! : 'meanwhile';
    trees.get(root)!.set(path!, [type!, mode!, `${uid}:${gid}`, type === 'd' ? '' : size!, made, target!]);
    const file = `${root} ${inode}`;
    if (type === 'f' && Number(count) > 1) links.set(file, [...(links.get(file) ?? []), `${root}/${path}`]);
  }
  for (const paths of links.values()) {
    const names = paths.map((path) => path.slice(rootOf(path).length + 1)).sort();
    for (const path of paths) factsAt(path)!.push(`links ${names.join(' ')}`);
  }
  const sums = await execa('find', [...places, '-type', 'f', '-exec', 'sha256sum', '--zero', '--', '{}', '+'], options);
  for (const line of sums.stdout.split('\0')) if (line !== '') factsAt(line.slice(66))!.push(line.slice(0, 64));
  const attributes = ['--recursive', '--physical', '--no-dereference', '--absolute-names', '--dump', '--match=-'];
  const { stdout: xattrs } = await execa('getfattr', [...attributes, '--encoding=hex', ...places], options);
  for (const block of xattrs.split('\n\n')) {
    const [name, ...values] = block.trim().split('\n');
    const path = name
      ?.replace('# file: ', '')
      .replaceAll(/\\(\d{3})/g, (_, octal: string) => String.fromCodePoint(parseInt(octal, 8)));
    if (path && !trees.has(path)) factsAt(path)!.push(values.sort().join(' '));
  }
  return new Map([...trees].map(([root, tree]) => [root, joined(tree)]));
}

function joined(tree: ReadonlyMap<string, string[]>): Map<string, string> {
  return new Map([...tree].map(([path, facts]) => [path, facts.join(' ')]));
}

/** The lines of what two maps differ in; none when they are the same. */
function mapDifference(one: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>): string[] {
  const names = [...new Set([...one.keys(), ...other.keys()])].sort();
  return names.flatMap((name) =>
    one.get(name) === other.get(name) ? [] : [`${name}: ${one.get(name) ?? 'absent'} ≠ ${other.get(name) ?? 'absent'}`],
  );
}

interface Inspected {
  Id: string;
  Config: Record<string, unknown> & { Labels?: Record<string, string> };
  Annotations?: Record<string, string>;
  Architecture: string;
  Os: string;
  RootFS: { Layers: string[] };
  History: { created_by?: string; empty_layer?: boolean }[];
}

/** The configuration of an image, as `podman image inspect` prints it, without what flightline documents as its own. */
function configurationOf({ Config, Annotations, Architecture, Os, RootFS, History }: Inspected): Map<string, string> {
  const labels = Object.entries(Config.Labels ?? {}).filter(([name]) => !OWN_LABELS.test(name));
  const facts = {
    config: { ...Config, Labels: Object.fromEntries(labels) },
    annotations: Annotations,
    platform: [Os, Architecture],
    layers: RootFS.Layers.length,
    history: History.map((step) => step.created_by ?? '').filter((step) => !step.includes('io.flightline.inputs')),
  };
  return new Map(Object.entries(facts).map(([name, value]) => [name, JSON.stringify(value)]));
}
