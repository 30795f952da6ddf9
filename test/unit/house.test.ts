/**
 * The rules of the house (docs/architecture.md): what may import what, and how large things may grow. Type imports
 * count.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ACTIVITIES } from '../../model/contract/activities.ts';
import { readSources, type Import, type Source } from '../support/source.ts';

const ROOT = join(import.meta.dirname, '../..');
const FLOORS = ['model', 'activities', 'workflows', 'workers', 'client'];
/** Read by name rather than imported: the server's worker bundles them, a person starts them. */
const ENTRIES = ['workflows/index.ts', 'workflows/interceptors.ts', 'workflows/preload.ts', 'client/main.ts'];
/** Loaded by the row that names them. */
const BODIES = Object.values(ACTIVITIES).map(({ file }) => `activities/${file}.ts`);
/** Tables that name what lies below them: being in one is no use of its own. */
const TABLES = ['activities/index.ts', 'workflows/index.ts', 'client/verbs.ts'];
/** Files called after the program or the thing they are the way to. */
const PROGRAMS = ['git', 'podman', 'skopeo', 'qemu', 'flightctl', 'registry', 'proc'];
const MAX_LINES = 250;
const MAX_FUNCTION_LINES = 60;
const MAX_FILES = 12;
const MAX_COLUMNS = 120;

const house = readSources(FLOORS);
const beside = readSources(['scripts', 'bench', 'examples']);
const tests = readSources(['test']);
const files = new Map(house.map((source) => [source.file, source]));
const imports = house.flatMap((source) => source.imports);
/** Imports between files of the house. */
const inner = imports.filter(({ target }) => files.has(target));

const shown = ({ file, target }: Import) => `${file} -> ${target}`;
const floorOf = (file: string) => file.split('/')[0]!;
const isBelow = (folder: string, file: string) => file.startsWith(`${folder}/`);

/** All that a file reaches by its imports, itself included. */
function closure(start: readonly string[], follow: (entry: Import) => boolean = () => true): Set<string> {
  const reached = new Set(start);
  for (const file of reached) {
    for (const entry of files.get(file)?.imports ?? []) if (follow(entry)) reached.add(entry.target);
  }
  return reached;
}

/** Edges that lie on a circle of a graph. */
function circles(edges: readonly (readonly [string, string])[]): string[] {
  const below = new Map<string, Set<string>>();
  for (const [from, to] of edges) below.set(from, (below.get(from) ?? new Set()).add(to));
  const reach = (start: string) => {
    const reached = new Set<string>(below.get(start));
    for (const node of reached) for (const next of below.get(node) ?? []) reached.add(next);
    return reached;
  };
  const reached = new Map([...below.keys()].map((node) => [node, reach(node)]));
  const on = edges
    .filter(([from, to]) => from !== to && reached.get(to)?.has(from))
    .map(([from, to]) => `${from} -> ${to}`);
  return [...new Set(on)].sort();
}

describe('floors', () => {
  it.each(FLOORS)('%s imports from itself and from floors below it', (floor) => {
    expect(house.filter(({ file }) => isBelow(floor, file)).length).toBeGreaterThan(0);
    const allowed = FLOORS.slice(0, FLOORS.indexOf(floor) + 1);
    const wrong = imports.filter(
      ({ file, from, target }) => isBelow(floor, file) && from.startsWith('.') && !allowed.includes(floorOf(target)),
    );
    expect(wrong.map(shown)).toEqual([]);
  });

  it('model reads and spawns nothing', () => {
    const forbidden = /^(?:node:(?!crypto)|execa|@temporalio\/(?!common))/;
    expect(imports.filter(({ file, from }) => isBelow('model', file) && forbidden.test(from)).map(shown)).toEqual([]);
  });

  it('workflows import activities as types at most, and nothing that is not deterministic', () => {
    const forbidden = /^(?:node:|execa|@temporalio\/(?:client|worker|activity|envconfig))/;
    const wrong = imports.filter(
      ({ file, from, target, typeOnly }) =>
        isBelow('workflows', file) && ((isBelow('activities', target) && !typeOnly) || forbidden.test(from)),
    );
    expect(wrong.map(shown)).toEqual([]);
  });

  it('nothing that workflows load asks Node for anything: their bundle has none of its modules', () => {
    const reached = closure(
      [...files.keys()].filter((file) => isBelow('workflows', file)),
      ({ typeOnly }) => !typeOnly,
    );
    expect([...reached].filter((name) => name.startsWith('node:'))).toEqual([]);
  });

  it('modules of workflows hold no state: all workflows of a worker share them', () => {
    const state = /^(?:export )?(?:(?:let|var)\b.*|const .*=\s*(?:new (?:Weak)?(?:Map|Set)\b|proxy\w+\().*)$/gm;
    const found = house
      .filter(({ file }) => isBelow('workflows', file))
      .flatMap(({ file, text }) => [...text.matchAll(state)].map(([line]) => `${file}: ${line}`));
    expect(found).toEqual([]);
  });

  it('the command starts without workers and without Temporal: both are loaded by the commands that need them', () => {
    const reached = closure(
      ['client/main.ts', 'client/command-line.ts'],
      ({ dynamic, typeOnly }) => !dynamic && !typeOnly,
    );
    const heavy = [...reached].filter((name) => name.startsWith('workers/') || name.startsWith('@temporalio/'));
    expect(heavy).toEqual([]);
  });

  it('only a process that sends traces loads OpenTelemetry', () => {
    const home = 'workers/telemetry/traces.ts';
    const loading = imports.filter(({ from, typeOnly }) => !typeOnly && from.includes('opentelemetry'));
    expect([...new Set(loading.map(({ file }) => file))]).toEqual([home]);
    const early = imports.filter(({ target, dynamic, typeOnly }) => target === home && !dynamic && !typeOnly);
    expect(early.map(shown)).toEqual([]);
  });

  it('the client runs of the SDK only what its one door to it names, of which the build makes one file', () => {
    const verbs = [...files.keys()].filter((file) => isBelow('client/commands', file));
    const needSomeWorker = ['doctor', 'up', 'worker'].map((name) => `client/commands/${name}.ts`);
    const reached = closure(
      verbs.filter((file) => !needSomeWorker.includes(file)),
      ({ target, typeOnly }) => !typeOnly && target !== 'client/temporal/sdk.ts' && !isBelow('client/commands', target),
    );
    expect([...reached].filter((name) => name.startsWith('@temporalio/'))).toEqual([]);
  });
});

describe('activities and tools', () => {
  it('only the table of activities imports the frame', () => {
    const wrong = inner.filter(
      ({ file, target }) => target === 'activities/frame.ts' && file !== 'activities/index.ts',
    );
    expect(wrong.map(shown)).toEqual([]);
  });

  it('tools import nothing from above them', () => {
    const wrong = inner.filter(
      ({ file, target }) =>
        isBelow('activities/tools', file) && !isBelow('activities/tools', target) && !isBelow('model', target),
    );
    expect(wrong.map(shown)).toEqual([]);
  });

  it('whoever loads a tool does not load the Temporal SDK', () => {
    const tools = [...files.keys()].filter((file) => isBelow('activities/tools', file));
    const loading = tools.filter((file) => [...closure([file])].some((name) => name.startsWith('@temporalio/')));
    expect(loading).toEqual([]);
  });

  it('nothing but the table of drivers knows one builder from another', () => {
    const drivers = 'activities/tools/builder/drivers';
    const wrong = inner.filter(
      ({ file, target }) => isBelow(drivers, target) && !isBelow(drivers, file) && file !== `${drivers}.ts`,
    );
    const apart = inner.filter(
      ({ file, target }) => isBelow(drivers, file) && isBelow(drivers, target) && dirname(file) !== dirname(target),
    );
    expect([...wrong, ...apart].map(shown)).toEqual([]);
    const rows = ['model/builder/builder-driver.ts', `${drivers}.ts`];
    const naming = house.filter(({ file, strings }) => strings.has('image-builder') && !rows.includes(file));
    expect(naming.map(({ file }) => file)).toEqual([]);
  });

  it('one file spawns', () => {
    const spawning = imports.filter(
      ({ file, from, typeOnly }) =>
        isBelow('activities', file) && /^(?:execa|node:child_process)$/.test(from) && !typeOnly,
    );
    expect([...new Set(spawning.map(({ file }) => file))]).toEqual(['activities/tools/process/command.ts']);
  });

  it('the client imports of activities only context, trust and tools, and of workflows nothing', () => {
    const wrong = inner.filter(
      ({ file, target }) =>
        isBelow('client', file) &&
        (isBelow('workflows', target) ||
          (isBelow('activities', target) && !/^activities\/(?:context|trust|tools)\//.test(target))),
    );
    expect(wrong.map(shown)).toEqual([]);
  });

  it('one file of the workflows makes proxies of activities', () => {
    const wrong = imports.filter(
      ({ file, names }) =>
        isBelow('workflows', file) &&
        file !== 'workflows/activities.ts' &&
        /^proxy(?:Local)?Activities$/m.test(names?.join('\n') ?? ''),
    );
    expect(wrong.map(({ file }) => file)).toEqual([]);
  });

  it('the file that a row names is the body of that activity, of no other, and every body has a row', () => {
    const wrong = Object.entries(ACTIVITIES).filter(([name, { file, queues }]) => {
      const type = /^(?:control|sign)$/.test(queues[0]!) ? 'WorkerBody' : 'HostBody';
      const { text } = files.get(`activities/${file}.ts`) ?? { text: '' };
      return !new RegExp(`^export default \\w+ satisfies ${type}<'${name}'>;$`, 'm').test(text);
    });
    expect(wrong.map(([name]) => name)).toEqual([]);
    const bodies = house.filter(({ file, text }) => isBelow('activities', file) && /^export default /m.test(text));
    expect(bodies.map(({ file }) => file).sort()).toEqual(BODIES.toSorted());
  });

  it('names of activities are written in the table of them only', () => {
    const names = [
      'cleanUp',
      'keepLogs',
      'hostStatus',
      'logPage',
      'deviceVerify',
      'diskBuild',
      'proveSigning',
      'moveSharedTag',
      'planPrune',
      'clean-up',
      'keep-logs',
      'host-status',
      'prove-signing',
    ];
    const wrong = house
      .filter(({ file }) => !isBelow('model/contract', file))
      .flatMap(({ file, strings }) => names.filter((name) => strings.has(name)).map((name) => `${file}: ${name}`));
    expect(wrong).toEqual([]);
  });
});

describe('circles', () => {
  it('there is none of files', () => {
    expect(circles(inner.map(({ file, target }) => [file, target]))).toEqual([]);
  });

  it('there is none of folders', () => {
    // A file that lies beside folders stands for itself: a floor's table reads the rooms, which read the floor's small
    // change.
    const folders = new Set([...files.keys()].map((file) => dirname(file)));
    const hasFolders = (folder: string) => [...folders].some((other) => isBelow(folder, other));
    const room = (file: string) => (hasFolders(dirname(file)) ? file : dirname(file));
    expect(circles(inner.map(({ file, target }) => [room(file), room(target)]))).toEqual([]);
  });
});

describe('size', () => {
  it(`a file has at most ${MAX_LINES} lines`, () => {
    expect(house.filter(({ lines }) => lines > MAX_LINES).map(({ file }) => file)).toEqual([]);
  });

  it(`a function has at most ${MAX_FUNCTION_LINES} lines`, () => {
    const long = house.flatMap(({ file, functions }) =>
      functions.filter(({ lines }) => lines > MAX_FUNCTION_LINES).map(({ name }) => `${file}: ${name}`),
    );
    expect([...new Set(long)]).toEqual([]);
  });

  it(`a folder has at most ${MAX_FILES} files; the one of commands has one for each verb`, () => {
    const inside = (folder: string) => [...files.keys()].filter((file) => dirname(file) === folder);
    const folders = [...new Set([...files.keys()].map((file) => dirname(file)))];
    const full = folders.filter((folder) => folder !== 'client/commands' && inside(folder).length > MAX_FILES);
    expect(full).toEqual([]);
  });
});

describe('names', () => {
  it('no name is exported twice', () => {
    const places = new Map<string, string[]>();
    for (const { file, exports } of house) {
      for (const name of exports) places.set(name, [...(places.get(name) ?? []), file]);
    }
    expect([...places].filter(([, found]) => found.length > 1).map(([name]) => name)).toEqual([]);
  });

  it('a file is called after what it exports', () => {
    const stem = (word: string) => word.replace(/(?:ies|ing|ion|ed|es|s|y|e)$/, '');
    const strange = house.filter(({ file, exports }) => {
      if (exports.length === 0 || basename(file) === 'index.ts' || BODIES.includes(file)) return false;
      if (PROGRAMS.includes(basename(file, '.ts'))) return false;
      const told = exports.join(' ').toLowerCase();
      return !basename(file, '.ts')
        .split('-')
        .some((word) => told.includes(stem(word)));
    });
    expect(strange.map(({ file }) => file)).toEqual([]);
  });

  it('a file with one importer lies beside it, and is part of it when it is small', () => {
    const wrong = house.flatMap(({ file, lines }) => {
      // A tool is a room of its own, and a verb is one file: what it is made of lies in the room of its kind.
      if (ENTRIES.includes(file) || BODIES.includes(file) || isBelow('activities/tools', file)) return [];
      const importers = [
        ...new Set(
          [...imports, ...beside.flatMap((source) => source.imports)]
            .filter(({ target }) => target === file)
            .map((entry) => entry.file),
        ),
      ];
      const [only] = importers;
      if (importers.length !== 1 || only === undefined || TABLES.includes(only)) return [];
      if (isBelow('client/commands', only)) return [];
      if (lines < 20) return [`${file} is part of ${only}`];
      const isBeside =
        dirname(file) === dirname(only) || isBelow(dirname(only), file) || floorOf(file) !== floorOf(only);
      return isBeside ? [] : [`${file} belongs to ${only}`];
    });
    expect(wrong).toEqual([]);
  });

  it('what is exported is used by another file that is no test; tests may read all of the model', () => {
    const used = (users: readonly Source[]) => {
      const names = new Set<string>();
      for (const { target, names: asked } of users.flatMap((source) => source.imports)) {
        for (const name of asked ?? files.get(target)?.exports ?? []) names.add(`${target}: ${name}`);
      }
      return names;
    };
    const program = used([...house, ...beside]);
    const tested = used(tests);
    const idle = house
      .filter(({ file }) => !ENTRIES.includes(file))
      .flatMap(({ file, exports }) => exports.map((name) => ({ file, name: `${file}: ${name}` })))
      .filter(({ file, name }) => !program.has(name) && !(isBelow('model', file) && tested.has(name)));
    expect(idle.map(({ name }) => name)).toEqual([]);
  });
});

describe('text', () => {
  const documents = ['.', 'docs', 'deploy', 'examples', 'bench'].flatMap((folder) =>
    readdirSync(join(ROOT, folder))
      .filter((name) => name.endsWith('.md'))
      .map((name) => ({ file: join(folder, name), text: readFileSync(join(ROOT, folder, name), 'utf8') })),
  );
  const code = [...house, ...beside, ...tests];

  it('names no issue and no paragraph of a document that readers do not have', () => {
    const numbers = /\b[Ii]ssues? \d+\b|DESIGN(?:\.md)?[\s*]*§/;
    const own = 'test/unit/house.test.ts';
    const wrong = [...code, ...documents].filter(({ file, text }) => file !== own && numbers.test(text));
    expect(wrong.map(({ file }) => file)).toEqual([]);
  });

  it(`code has at most ${MAX_COLUMNS} columns`, () => {
    const wide = code.filter(({ text }) => text.split('\n').some((line) => line.length > MAX_COLUMNS));
    expect(wide.map(({ file }) => file)).toEqual([]);
  });
});
