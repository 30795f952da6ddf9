/** The house's rule: a file imports from its own folder and from floors below it (docs/architecture.md). */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, it } from 'vitest';

const ROOT = join(import.meta.dirname, '../..');
const FLOORS = ['model', 'activities', 'workflows', 'workers', 'client'];

interface Import {
  file: string;
  line: string;
  from: string;
  typeOnly: boolean;
  dynamic: boolean;
}

function importsOf(folder: string): Import[] {
  return readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .flatMap((name) => {
      const file = join(folder, name);
      const text = readFileSync(join(ROOT, file), 'utf8');
      const statics = [...text.matchAll(/^(?:import|export)\s[^;]*?from\s+'([^']+)'|^import\s+'([^']+)'/gm)];
      const dynamics = [...text.matchAll(/\bimport\('([^']+)'\)/g)];
      return [
        ...statics.map((match) => ({ match, dynamic: false })),
        ...dynamics.map((match) => ({ match, dynamic: true })),
      ].map(({ match, dynamic }) => ({
        file,
        line: match[0].replace(/\s+/g, ' '),
        from: (match[1] ?? match[2])!,
        typeOnly: /^(?:import|export) type\b/.test(match[0]),
        dynamic,
      }));
    });
}

/** The floor or package that an import reaches. */
function target({ file, from }: Import): string {
  if (!from.startsWith('.')) return from;
  return relative(ROOT, resolve(dirname(join(ROOT, file)), from)).split('/')[0]!;
}

describe.each(FLOORS)('%s', (floor) => {
  const imports = importsOf(floor);

  it('imports from floors below it only', () => {
    expect(imports.length).toBeGreaterThan(0);
    const allowed = FLOORS.slice(0, FLOORS.indexOf(floor) + 1);
    const wrong = imports.filter((entry) => entry.from.startsWith('.') && !allowed.includes(target(entry)));
    expect(wrong.map(({ file, line }) => `${file}: ${line}`)).toEqual([]);
  });
});

describe('the rules of single floors', () => {
  const wrong = (folder: string, isWrong: (entry: Import) => boolean) =>
    importsOf(folder)
      .filter(isWrong)
      .map(({ file, line }) => `${file}: ${line}`);

  it('model reads and spawns nothing', () => {
    const forbidden = /^(?:node:(?!crypto)|execa|@temporalio\/(?!common))/;
    expect(wrong('model', ({ from }) => forbidden.test(from))).toEqual([]);
  });

  it('workflows import activities as types at most, and nothing that is not deterministic', () => {
    expect(wrong('workflows', (entry) => target(entry) === 'activities' && !entry.typeOnly)).toEqual([]);
    const forbidden = /^(?:node:|execa|@temporalio\/(?:client|worker|activity|envconfig))/;
    expect(wrong('workflows', ({ from }) => forbidden.test(from))).toEqual([]);
  });

  it('modules of workflows hold no state: all workflows of a worker share them', () => {
    const state = /^(?:export )?(?:(?:let|var)\b.*|const .*=\s*(?:new (?:Weak)?(?:Map|Set)\b|proxy\w+\().*)$/gm;
    const found = readdirSync(join(ROOT, 'workflows'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .flatMap((name) =>
        [...readFileSync(join(ROOT, 'workflows', name), 'utf8').matchAll(state)].map(([line]) => `${name}: ${line}`),
      );
    expect(found).toEqual([]);
  });

  it('only one file of activities knows Temporal, and only one spawns', () => {
    const temporal = wrong('activities', ({ from, typeOnly }) => from.startsWith('@temporalio/') && !typeOnly);
    expect(new Set(temporal.map((line) => line.split(':')[0]))).toEqual(new Set(['activities/frame.ts']));
    const spawning = wrong(
      'activities',
      ({ from, typeOnly }) => /^(?:execa|node:child_process)$/.test(from) && !typeOnly,
    );
    expect(new Set(spawning.map((line) => line.split(':')[0]))).toEqual(
      new Set(['activities/tools/process/command.ts']),
    );
  });

  it('the command starts without workers and without Temporal: both are loaded by the commands that need them', () => {
    const all = FLOORS.flatMap((folder) => importsOf(folder)).filter((entry) => !entry.dynamic && !entry.typeOnly);
    const reached = new Set(['client/main.ts', 'client/terminal/command-line.ts']);
    for (const file of reached) {
      for (const entry of all.filter((candidate) => candidate.file === file)) {
        reached.add(entry.from.startsWith('.') ? relative(ROOT, resolve(ROOT, dirname(file), entry.from)) : entry.from);
      }
    }
    const heavy = [...reached].filter((name) => name.startsWith('workers/') || name.startsWith('@temporalio/'));
    expect(heavy).toEqual([]);
  });
});
