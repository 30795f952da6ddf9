/** The documentation says what the code does: keys, defaults, failures, commands, dependencies, links. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { costLine } from '../../../scripts/cost-line.ts';
import { createProgram } from '../../../client/verbs.ts';
import { DISK_TYPES } from '../../../model/spec/disk.ts';
import { FAILURES, type FailureKind } from '../../../model/failure/failures.ts';
import { FlightlineSpec } from '../../../model/spec/flightline-spec.ts';
import { JSON_SCHEMAS } from '../../../model/json-schema.ts';
import { parseYamlFile } from '../../../model/spec/spec-file.ts';
import { WorkerConfiguration } from '../../../model/spec/worker-configuration.ts';
import { blocksOf, linksOf, proseOf, rowsOf, sectionOf, spansOf } from '../../support/readme.ts';

const PROGRAM = await createProgram(['--help'], { act: async () => undefined, writeErr: () => undefined });
const ROOT = join(import.meta.dirname, '../../..');
const read = (file: string) => readFileSync(join(ROOT, file), 'utf8');
const FILES = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'bench/RESULTS.md',
  'deploy/README.md',
  'examples/ci/README.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter((file) => file.endsWith('.md'))
    .map((file) => `docs/${file}`),
];

/** The code in a table's first column. */
const firstSpans = (rows: string[][]) => rows.flatMap(([first = '']) => spansOf(first));

describe.each(FILES)('%s', (file) => {
  it('links to files and headings that are there', () => {
    const broken = linksOf(read(file)).filter((link) => {
      if (/^https?:/.test(link)) return false;
      const [path = '', anchor] = link.split('#');
      const target = path === '' ? file : join(dirname(file), path);
      return !existsSync(join(ROOT, target)) || (anchor !== undefined && !anchorsOf(read(target)).includes(anchor));
    });
    expect(broken).toEqual([]);
  });

  it('is at most 120 characters wide outside of tables, listings and single commands', () => {
    expect(
      proseOf(read(file))
        .split('\n')
        .filter((line) => line.length > 120 && !line.startsWith('|') && !/^\s*`[^`]+`\.?$/.test(line)),
    ).toEqual([]);
  });

  it('uses commands and options that exist', () => {
    expect(usesOf(read(file)).flatMap(unknownIn)).toEqual([]);
  });
});

/** The anchors that a Markdown viewer makes of headings. */
function anchorsOf(markdown: string): string[] {
  const headings = [...proseOf(markdown).matchAll(/^#+ (.*)$/gm)].map(([, text]) => text!);
  return headings.map((text) =>
    text
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );
}

/** `flightline VERB …` in code spans and shell blocks, as words. */
function usesOf(markdown: string): string[][] {
  const lines = [
    ...spansOf(proseOf(markdown)),
    ...blocksOf(markdown).flatMap(({ language, text }) => (language === 'yaml' ? [] : text.split('\n'))),
  ];
  return lines.flatMap((line) => {
    const use = /(?:^|\/|run )flightline (?:-- )?([a-z].*)$/.exec(line.replace(/ # .*$/, ''));
    return use ? [use[1]!.replaceAll(/[[\]]/g, '').split(/\s+/)] : [];
  });
}

function unknownIn([verb, ...words]: string[]): string[] {
  const first = PROGRAM.commands.find((one) => one.name() === verb);
  if (!first) return [`flightline ${verb}`];
  const command = first.commands.find((one) => one.name() === words[0]) ?? first;
  return words
    .filter((word) => word.startsWith('--') && word !== '--help')
    .filter((word) => !command.options.some((option) => option.long === word))
    .map((word) => `flightline ${verb} ${word}`);
}

describe('README.md', () => {
  const text = read('README.md');

  it('lists every command, and no other', () => {
    const listed = firstSpans(rowsOf(sectionOf(text, '## The command'))).map((span) => span.split(' ')[1] ?? '');
    expect(listed.toSorted()).toEqual(PROGRAM.commands.map((one) => one.name()).toSorted());
  });

  it('shows a spec that is one', () => {
    const specs = blocksOf(text).filter(({ language }) => language === 'yaml');
    expect(specs).toHaveLength(1);
    expect(parseYamlFile(specs[0]!.text, FlightlineSpec)).toMatchObject({ ok: true });
  });
});

interface JsonSchema {
  default?: unknown;
  properties?: Record<string, JsonSchema>;
  items?: JsonSchema;
  additionalProperties?: boolean | JsonSchema;
  anyOf?: JsonSchema[];
}

/** Every key with its default; a key that the user chooses is NAME, and elements of a list are []. */
function keysOf(schema: JsonSchema, path = ''): [string, unknown][] {
  const { properties = {}, items, additionalProperties, anyOf = [] } = schema;
  return [
    ...anyOf.flatMap((one) => keysOf(one, path)),
    ...Object.entries(properties).flatMap(([name, one]): [string, unknown][] => {
      const key = path === '' ? name : `${path}.${name}`;
      return [[key, one.default], ...keysOf(one, key)];
    }),
    ...(items ? keysOf(items, `${path}[]`) : []),
    ...(typeof additionalProperties === 'object' ? keysOf(additionalProperties, `${path}.NAME`) : []),
  ];
}

describe('docs/spec.md', () => {
  const text = read('docs/spec.md');

  it.each([
    ['## `flightline.yaml`', JSON_SCHEMAS.flightline],
    ['## The worker configuration', JSON_SCHEMAS.worker],
  ])('explains every key with its default, and no other: %s', (heading, schema) => {
    const keys = keysOf(schema() as JsonSchema);
    const [own = ''] = sectionOf(text, heading).split(/^### /m);
    const rows = rowsOf(own);
    expect(firstSpans(rows)).toEqual(keys.map(([key]) => key));
    const wrong = keys.filter(([, value], index) => {
      if (value === undefined) return false;
      const written = typeof value === 'string' ? value : JSON.stringify(value);
      return !spansOf(rows[index]![1]!).includes(written);
    });
    expect(wrong).toEqual([]);
  });

  it('has every disk type as it is', () => {
    const [, table = ''] = /^(\| type \| suffix [^]*?)\n\n/m.exec(sectionOf(text, '### Disk types')) ?? [];
    const rows = rowsOf(table).map((cells) => cells.map((cell) => cell.replaceAll('`', '')));
    expect(rows).toEqual(
      Object.entries(DISK_TYPES).map(([type, { suffix, family, compress, containerDisk, boot }]) => [
        type,
        suffix,
        family,
        compress === 'none' ? '' : compress,
        containerDisk ? 'yes' : '',
        boot ? 'yes' : '',
      ]),
    );
  });

  it('shows a worker configuration that is one', () => {
    const example = blocksOf(sectionOf(text, '## The worker configuration')).find(
      ({ language }) => language === 'yaml',
    );
    expect(parseYamlFile(example!.text, WorkerConfiguration)).toMatchObject({ ok: true });
  });
});

describe.each(['examples/ci/github/flightline.yml', 'examples/ci/gitlab/.gitlab-ci.yml'])('%s', (file) => {
  it('is YAML, and runs commands that exist', () => {
    expect(parse(read(file))).toBeTypeOf('object');
    const uses = [...read(file).matchAll(/^\s*- (?:run: )?flightline (.*)$/gm)].map(([, words]) => words!.split(/\s+/));
    expect(uses).toHaveLength(3);
    expect(uses.flatMap(unknownIn)).toEqual([]);
  });
});

describe('README.md, on what a release costs', () => {
  it('has the figures of the benchmark (npm run docs)', () => {
    expect(read('README.md')).toContain(costLine(read('docs/benchmarks.md')));
  });
});

describe('docs/failures.md', () => {
  it('lists every kind of failure as the code has it (npm run docs)', () => {
    const rows = rowsOf(sectionOf(read('docs/failures.md'), '## Kinds of failure'));
    expect(rows.map(([kind, fate, meaning]) => [kind, fate, meaning])).toEqual(
      Object.entries(FAILURES).map(([kind, row]) => [`\`${kind}\``, row.disposition, row.meaning]),
    );
    for (const [kind, , , remedy] of rows)
      expect(remedy, kind).toContain(FAILURES[kind!.slice(1, -1) as FailureKind].action);
  });
});

describe('docs/architecture.md', () => {
  it('gives a reason for every dependency, and for no other', () => {
    const { dependencies, devDependencies } = JSON.parse(read('package.json')) as Record<
      string,
      Record<string, string>
    >;
    const packages = Object.keys({ ...dependencies, ...devDependencies }).map((name) =>
      name.startsWith('@temporalio/') ? '@temporalio/*' : name,
    );
    const explained = firstSpans(rowsOf(sectionOf(read('docs/architecture.md'), '## Dependencies, and why')));
    expect(explained.toSorted()).toEqual([...new Set(packages)].toSorted());
  });

  it('names files that are there', () => {
    const paths = spansOf(proseOf(read('docs/architecture.md'))).filter((span) => /^[a-z]+\/[\w./-]+\.ts$/.test(span));
    expect(paths.length).toBeGreaterThan(5);
    expect(paths.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });
});
