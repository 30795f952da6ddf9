/** Ignore rules and trees made from a seed, compared with what podman itself copies. */
import { mkdir, mkdtemp, readdir, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { readIgnorePattern } from '../../activities/context/files/ignore-pattern.ts';
import { textOfBytes } from '../../activities/context/files/path-bytes.ts';
import { packContext } from '../../activities/context/pack.ts';
import { unpackContextTar } from '../../activities/context/unpack.ts';

/** Cases per build: starting podman takes most of the time. */
const BATCH = 50;
/** In one of so many cases the build also copies from the context that was sent. */
const COPIED_AGAIN = 5;

/** A tree and the rules for it, both Latin-1: a character for a byte. */
export interface IgnoreCase {
  /** Files by path, directories by a path that ends with `/`, links with their targets. */
  tree: ReadonlyMap<string, string | null>;
  rules: string;
}

/** What differs between what is sent and what podman copies; empty when nothing does. */
export async function differencesOf(cases: readonly IgnoreCase[]): Promise<string[]> {
  const found: string[] = [];
  for (let at = 0; at < cases.length; at += BATCH)
    found.push(...(await differencesOfBatch(cases.slice(at, at + BATCH))));
  return found;
}

async function differencesOfBatch(cases: readonly IgnoreCase[]): Promise<string[]> {
  const root = await mkdtemp(join(tmpdir(), 'flightline-ignore-'));
  try {
    const places = [];
    for (const [index, { tree, rules }] of cases.entries())
      places.push(await prepare(join(root, `${index}`), tree, rules));
    const contexts = places.flatMap(({ original, context }, index) => [
      { name: `original-${index}`, directory: original },
      ...(index % COPIED_AGAIN === 0 ? [{ name: `sent-${index}`, directory: context }] : []),
    ]);
    const out = await copied(
      root,
      contexts,
      contexts.map(({ name }) => `COPY --from=${name} . /${name}/`),
    );
    const differences: string[] = [];
    const named: string[] = [];
    for (const [index, { rules }] of cases.entries()) {
      const { sent } = places[index]!;
      const byPodman = await paths(join(out, `original-${index}`));
      const tell = (what: string, names: readonly string[]) => {
        if (names.length > 0) differences.push(`${JSON.stringify(rules)}: ${what}: ${names.join(', ')}`);
      };
      tell(
        'podman copies, and is not sent',
        [...byPodman].filter((path) => !sent.has(path)),
      );
      if (index % COPIED_AGAIN === 0) {
        const again = await paths(join(out, `sent-${index}`));
        tell(
          'podman copies, but not of what is sent',
          [...byPodman].filter((path) => !again.has(path)),
        );
        tell(
          'podman copies of what is sent only',
          [...again].filter((path) => !byPodman.has(path)),
        );
      }
      // What is sent beyond this may be named by a COPY of its own.
      const more = [...sent].filter((path) => !byPodman.has(path) && /^[\w./-]*\w$/.test(path));
      named.push(...more.map((path) => `COPY --from=original-${index} ${JSON.stringify([path, '/named/'])}`));
    }
    if (named.length > 0) {
      await copied(root, contexts, named).catch((error: Error) =>
        differences.push(`sent, but ignored: ${error.message}`),
      );
    }
    return differences;
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

/** Writes a tree, and what the host gets of it, where podman looks for the rules. */
async function prepare(directory: string, tree: IgnoreCase['tree'], rules: string) {
  const original = join(directory, 'tree');
  const bytes = (path: string) => Buffer.concat([Buffer.from(`${original}/`), Buffer.from(path, 'latin1')]);
  await mkdir(original, { recursive: true });
  for (const [path, target] of tree) {
    await mkdir(bytes(dirname(path)), { recursive: true });
    if (path.endsWith('/')) await mkdir(bytes(path), { recursive: true });
    else if (target === null) await writeFile(bytes(path), path);
    else await symlink(target, bytes(path));
  }
  await writeFile(join(original, '.containerignore'), Buffer.from(rules, 'latin1'));
  await writeFile(join(directory, 'Containerfile'), 'FROM scratch\n');
  const containerfile = join(directory, 'Containerfile');
  const packed = await packContext({ directory: original, containerfile, builderConfig: null }, directory);
  const unpacked = join(directory, 'unpacked');
  await mkdir(unpacked);
  const { context } = await unpackContextTar(packed.artifact.blobs[0]!.path, unpacked, Infinity);
  const sent = await paths(context);
  // A build context with a name of its own is looked at alone: it has no Containerfile that the rules could stand
  // beside.
  await writeFile(join(context, '.containerignore'), Buffer.from(rules, 'latin1'));
  return { original, context, sent };
}

/** What a build of these steps makes, as a directory. */
async function copied(
  root: string,
  contexts: readonly { name: string; directory: string }[],
  steps: readonly string[],
): Promise<string> {
  const out = await mkdtemp(join(root, 'out-'));
  const file = join(out, 'Containerfile');
  await writeFile(file, ['FROM scratch', ...steps, ''].join('\n'));
  const given = contexts.map(({ name, directory }) => `--build-context=${name}=${directory}`);
  const local = join(out, 'tree');
  await execa('podman', [
    'build',
    '--quiet',
    '--layers=false',
    ...given,
    `--file=${file}`,
    `--output=type=local,dest=${local}`,
    out,
  ]);
  return local;
}

/** Every path below a directory, Latin-1; a directory's ends with `/`. */
async function paths(directory: string, below = ''): Promise<Set<string>> {
  const found = new Set<string>();
  const at = Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(below, 'latin1')]);
  for (const entry of await readdir(at, { encoding: 'buffer', withFileTypes: true })) {
    const path = `${below}${entry.name.toString('latin1')}`;
    if (entry.isDirectory()) {
      found.add(`${path}/`);
      for (const deeper of await paths(directory, `${path}/`)) found.add(deeper);
    } else if (entry.isSymbolicLink()) {
      found.add(path);
      found.add(`${path} -> ${await readlink(Buffer.concat([at, entry.name]), 'latin1')}`);
    } else found.add(path);
  }
  return found;
}

/** Numbers from 0 to below 1, the same for the same seed. */
function random(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const NAMES = [
  ...'a b ab src Src SRC keep deep x.go x.log y.log README.md .env .git b[1].c !bang #hash'.split(' '),
  ...'a+b aab a{2} x(y) a|b ^a a$ caf\xc3\xa9 caf\xe9 -x back\\slash'.split(' '),
  'a b',
];

/** Cases from a seed, with rules that podman accepts. Refused rules have tests of their own. */
export function ignoreCases(seed: number, count: number): IgnoreCase[] {
  const next = random(seed);
  const below = (limit: number) => Math.floor(next() * limit);
  const pick = <Item>(items: readonly Item[]): Item => items[below(items.length)]!;
  const chance = (part: number) => next() < part;
  return Array.from({ length: count }, () => {
    const tree = makeTree();
    const all = [...tree.keys()].map((path) => path.replace(/\/$/, ''));
    const rules: string[] = chance(0.4) ? [pick(['*', '**', '.*', '**/*', '*/*', 'src', '*\r'])] : [];
    for (let left = 1 + below(4); left > 0; left--) rules.push(rule(all));
    return { tree, rules: rules.join('\n') };
  });

  function makeTree(): Map<string, string | null> {
    const tree = new Map<string, string | null>();
    const directories = [''];
    for (let left = 4 + below(10); left > 0; left--) {
      const path = `${pick(directories)}${pick(NAMES)}`;
      if ([...tree.keys()].some((other) => other.replace(/\/$/, '') === path)) continue;
      if (chance(0.45) && path.split('/').length < 4) {
        directories.push(`${path}/`);
        tree.set(`${path}/`, null);
      } else tree.set(path, chance(0.12) ? pick(['a', '..', '/etc', 'nowhere', '../../x']) : null);
    }
    return tree;
  }

  function rule(all: readonly string[]): string {
    for (;;) {
      const line = oddly(ofPath(pick(all)));
      try {
        readIgnorePattern(textOfBytes(Buffer.from(line, 'latin1')));
      } catch {
        continue;
      }
      return line;
    }
  }

  /** A path in the tree, with some of its parts replaced by wildcards. */
  function ofPath(path: string): string {
    let parts = path.split('/');
    if (chance(0.3)) parts = parts.slice(0, 1 + below(parts.length));
    if (chance(0.15)) parts.unshift(pick(['**', '*', '.', '..', '']));
    if (chance(0.1)) parts.push(pick(['**', '*', '', '..', pick(NAMES)]));
    return parts.map((part) => (chance(0.6) ? part : general(part))).join(chance(0.04) ? '//' : '/');
  }

  function general(part: string): string {
    const at = below(part.length);
    return pick([
      '*',
      '**',
      `*${part.slice(at)}`,
      `${part.slice(0, at)}*`,
      `${part.slice(0, at)}?${part.slice(at + 1)}`,
      `${part.slice(0, at)}[a-z]${part.slice(at + 1)}`,
      `${part.slice(0, at)}[^${part[at] ?? 'a'}]${part.slice(at + 1)}`,
      `${part.slice(0, at)}\\${part.slice(at)}`,
      `${part.slice(0, at)}**${part.slice(at)}`,
      part.toUpperCase(),
      part.toLowerCase(),
      `(${part}|b)`,
      `${part}{1,2}`,
      `${part}+`,
      `[${part}]`,
      '[*]?',
      `${part}.`,
      pick(NAMES),
    ]);
  }

  function oddly(line: string): string {
    const taken = chance(0.35) ? `!${line}` : line;
    if (chance(0.85)) return taken;
    return pick([
      `/${taken}`,
      `${taken}/`,
      `  ${taken} `,
      `${taken}\r`,
      `# ${taken}`,
      `${taken}   # note`,
      `./${taken}`,
      `! ${line}`,
    ]);
  }
}
