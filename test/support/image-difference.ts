/** What two images differ in, as files and as configuration, read without the code under test. */
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';

/** Labels that docs/spec.md lists as flightline's. */
const OWN_LABELS =
  /^(?:io\.flightline\.inputs|org\.opencontainers\.image\.(?:revision|source|version|created|base\.(?:name|digest)))$/;

/**
 * A storage of its own, into which a published image is pulled: what lies in the registry is looked at, and nothing
 * else.
 */
export async function openStorage(): Promise<{
  podman: (...args: string[]) => Promise<string>;
  close: () => Promise<void>;
}> {
  const directory = await mkdtemp(join(tmpdir(), 'flightline-storage-'));
  const place = ['--root', join(directory, 'root'), '--runroot', join(directory, 'run')];
  await mkdir(join(directory, 'run'));
  const podman = async (...args: string[]) => (await execa('podman', [...place, ...args])).stdout.trim();
  return {
    podman,
    close: async () => {
      await podman('image', 'unmount', '--all', '--force');
      await execa('podman', [...place, 'system', 'reset', '--force'], { reject: false });
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/**
 * Everything below a directory that an image decides, by path. Names are bytes as Latin-1. A time counts when it lies
 * before `since` (seconds since 1970): what a step has made meanwhile is as old as the step.
 */
export async function treeOf(root: string, since: number): Promise<Map<string, string>> {
  const options = { cwd: root, encoding: 'latin1' } as const;
  const format = ['%P', '%y', '%m', '%U', '%G', '%s', '%T@', '%i', '%n', '%l'].join('\\0') + '\\0';
  const { stdout } = await execa('find', ['.', '-mindepth', '1', '-printf', format], options);
  const fields = stdout.split('\0');
  const tree = new Map<string, string[]>();
  const links = new Map<string, string[]>();
  for (let at = 0; at + 9 < fields.length; at += 10) {
    const [path, type, mode, uid, gid, size, time, inode, count, target] = fields.slice(at, at + 10) as [
      string,
      ...string[],
    ];
    const made = Number(time) < since ? time! : 'meanwhile';
    tree.set(path, [type!, mode!, `${uid}:${gid}`, type === 'd' ? '' : size!, made, target!]);
    if (type === 'f' && Number(count) > 1) links.set(inode!, [...(links.get(inode!) ?? []), path]);
  }
  for (const paths of links.values())
    for (const path of paths) tree.get(path)!.push(`links ${[...paths].sort().join(' ')}`);
  const sums = await execa('find', ['.', '-type', 'f', '-exec', 'sha256sum', '--zero', '--', '{}', '+'], options);
  for (const line of sums.stdout.split('\0')) if (line !== '') tree.get(line.slice(68))!.push(line.slice(0, 64));
  const attributes = ['--recursive', '--physical', '--no-dereference', '--match=-', '--encoding=hex', '.'];
  const { stdout: xattrs } = await execa('getfattr', attributes, options);
  for (const block of xattrs.split('\n\n')) {
    const [name, ...values] = block.trim().split('\n');
    const path = name
      ?.replace('# file: ', '')
      .replaceAll(/\\(\d{3})/g, (_, octal: string) => String.fromCodePoint(parseInt(octal, 8)));
    tree.get(path ?? '')?.push(values.sort().join(' '));
  }
  return new Map([...tree].map(([path, facts]) => [path, facts.join(' ')]));
}

/** The lines of what two trees differ in; none when they are the same. */
export function treeDifference(one: ReadonlyMap<string, string>, other: ReadonlyMap<string, string>): string[] {
  const paths = [...new Set([...one.keys(), ...other.keys()])].sort();
  return paths.flatMap((path) =>
    one.get(path) === other.get(path) ? [] : [`${path}: ${one.get(path) ?? 'absent'} ≠ ${other.get(path) ?? 'absent'}`],
  );
}

interface Inspected {
  Config: Record<string, unknown> & { Labels?: Record<string, string> };
  Annotations?: Record<string, string>;
  Architecture: string;
  Os: string;
  RootFS: { Layers: string[] };
  History: { created_by?: string; empty_layer?: boolean }[];
}

/** The configuration of an image, as `podman image inspect` prints it, without what flightline documents as its own. */
export function configurationOf(inspected: string): Record<string, unknown> {
  const [{ Config, Annotations, Architecture, Os, RootFS, History }] = JSON.parse(inspected) as [Inspected];
  const labels = Object.entries(Config.Labels ?? {}).filter(([name]) => !OWN_LABELS.test(name));
  return {
    config: { ...Config, Labels: Object.fromEntries(labels) },
    annotations: Annotations,
    platform: [Os, Architecture],
    layers: RootFS.Layers.length,
    history: History.map((step) => step.created_by ?? '').filter((step) => !step.includes('io.flightline.inputs')),
  };
}
