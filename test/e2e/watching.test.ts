/**
 * What an operator sees of releases: the Temporal Web UI in a real browser, metrics as Prometheus gets them, the
 * workers' logs.
 */
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { hostname, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { EXIT } from '../../client/terminal/exit-codes.ts';
import { ROLES, type Role } from '../../model/contract/queue.ts';
import { ROOT, runFlightline } from '../support/flightline.ts';
import {
  alertRules,
  dashboardExpressions,
  metricOf,
  metricsIn,
  scrape,
  selectorsIn,
  type Sample,
} from '../support/metrics.ts';
import { makeProject, type Project } from '../support/project.ts';
import { rowsOf, sectionOf, spansOf } from '../support/readme.ts';
import { sharedStack } from '../support/shared-stack.ts';
import { eventually } from '../support/wait.ts';
import { openWebUi, type WebUi } from '../support/web-ui.ts';

const stack = sharedStack();
const { metrics } = stack;
const { environment } = stack;
/** Bytes: the picture is part of the repository. */
const MAX_PICTURE = 200_000;
/** Stands for a secret that a program prints: the URL of a build step. */
const SECRET = 'hunter2-in-a-url';

let scratch: string;
let released: Project;
let held: Project;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'flightline-watching-'));
  const project = (name: string, lines: string[], disks: object[] = []) =>
    makeProject({ registry: stack.registry, name, lines, disks });
  released = await project('gateway', []);
  const failing = `RUN echo "cannot fetch https://user:${SECRET}@packages.example/agent"; exit 1`;
  held = await project('edge-camera', [failing], [{ type: 'qcow2' }]);
  const run = ({ spec }: Project) => runFlightline(['run', spec, '--json'], { environment });
  const [well, ill] = await Promise.all([run(released), run(held)]);
  if (well.exitCode !== EXIT.ok || ill.exitCode !== EXIT.held) throw new Error(`${well.stderr}\n${ill.stderr}`);
});

afterAll(async () => {
  if (held) await runFlightline(['cancel', held.release], { environment });
  await released?.remove();
  await held?.remove();
  await rm(scratch, { recursive: true, force: true });
});

describe('the Temporal Web UI', () => {
  let ui: WebUi;
  let page: Page;
  const workflows = `${stack.webUi}/namespaces/default/workflows`;

  beforeAll(async () => {
    ui = await openWebUi(stack.webUi);
    page = ui.page;
  });
  afterAll(() => ui?.close());
  beforeEach(({ onTestFailed, task }) => {
    onTestFailed(() => ui.keep(task.name));
  });

  /** The cells of the list's rows, by column. */
  async function listed(query: string): Promise<Record<string, string>[]> {
    return listedAt(`${workflows}?query=${encodeURIComponent(query)}`);
  }

  async function listedAt(url: string): Promise<Record<string, string>[]> {
    await ui.goto(url, page.locator('table tbody tr a').first());
    const rows = await page
      .locator('table tr')
      .evaluateAll((all) => all.map((row) => [...row.children].map((cell) => cell.textContent?.trim() ?? '')));
    const heading = rows.find((cells) => cells.includes('Workflow ID'))!;
    return rows
      .filter((cells) => cells !== heading && cells.length === heading.length)
      .map((cells) => Object.fromEntries(heading.map((name, index) => [name, cells[index]!])));
  }

  const open = ({ release }: Project, tab: string) => ui.open(`release/${release}`, tab);

  it('lists releases with their search attributes, and finds the held one', async () => {
    const columns = ['Status', 'Workflow ID', 'FlightlineStatus', 'FlightlineStage', 'FlightlineHost', 'FlightlineTag'];
    // Where the Web UI keeps the columns that a person chose.
    const saved = JSON.stringify({ default: columns.map((label) => ({ label })) });
    const content = `localStorage.setItem('namespace-workflow-table-columns', ${JSON.stringify(saved)})`;
    await ui.context.addInitScript({ content });
    const host = hostname().toLowerCase();
    const own = (rows: Record<string, string>[]) =>
      rows.filter((row) => [held, released].some(({ release }) => row['Workflow ID'] === `release/${release}`));

    const rows = own(await listed(`WorkflowType = 'release' AND FlightlineTag = 'v1'`));
    expect(rows.find((row) => row['Workflow ID'] === `release/${held.release}`)).toMatchObject({
      Status: 'Running',
      FlightlineStatus: 'held',
      FlightlineStage: 'build',
      FlightlineHost: host,
      FlightlineTag: 'v1',
    });
    expect(rows.find((row) => row['Workflow ID'] === `release/${released.release}`)).toMatchObject({
      Status: 'Completed',
      FlightlineStatus: 'released',
      FlightlineHost: host,
    });

    const said = await runFlightline(['list', '--status', 'held'], { environment });
    const [, url] = /^in the Web UI: (\S+)$/m.exec(said.stderr)!;
    const waiting = own(await listedAt(url!));
    expect(waiting.map((row) => row['Workflow ID'])).toEqual([`release/${held.release}`]);
  });

  it('shows summary, details, and what is held with what to do', async () => {
    await open(held, 'user-metadata');
    const texts = await eventually('summary, details and current details', async () => {
      const found = await ui.markdown();
      return found.length >= 3 ? found : undefined;
    });
    expect(texts).toContain(`edge-camera: ${held.release} with qcow2`);
    expect(texts.find((text) => text.includes('signing key: release'))).toContain('Disks qcow2, as artifact in');
    const current = texts.find((text) => text.includes('is held.'))!;
    expect(current).toContain('Held: image (build)');
    expect(current).toContain(`flightline retry release/${held.release} --spec flightline.yaml`);
    expect(current).toMatch(new RegExp(`build image held ${hostname().toLowerCase()} 1 `));
    expect(current).toContain('disk-build qcow2 waiting');
    expect(current).not.toContain(SECRET);
    const wanted = process.env['FLIGHTLINE_WEB_UI_PICTURE'];
    const picture = wanted === undefined ? join(scratch, 'web-ui.png') : resolve(ROOT, wanted);
    await page.screenshot({ path: picture });
    expect((await stat(picture)).size).toBeLessThan(MAX_PICTURE);
  });

  it('shows every stage of a release by its summary, and its digest', async () => {
    await open(released, 'history');
    const summaries = [`resolve ${released.release}`, 'build image on', 'push image from', 'sign image', 'tag v1'];
    for (const summary of summaries) await page.getByText(summary).first().waitFor();
    await open(released, 'user-metadata');
    const current = await eventually('current details', async () =>
      (await ui.markdown()).find((text) => text.includes('is released.')),
    );
    expect(current).toMatch(/record release done/);
    expect(current).toMatch(/image \S+: sha256:[0-9a-f]{64}, verified/);
  });
});

describe('the metrics', () => {
  it('that alerts and documentation name are there, with their labels', async () => {
    const document = await readFile(join(ROOT, 'docs/metrics.md'), 'utf8');
    const documented = rowsOf(sectionOf(document, '## Metrics')).flatMap(([first = '']) => spansOf(first));
    // What Prometheus itself says of whom it asks.
    const alerted = alertRules().flatMap(({ expr }) => metricsIn(expr).filter((name) => name !== 'up'));
    expect(documented.length).toBeGreaterThan(10);
    // Control workers ask Temporal for what has ended every 15 s.
    const samples = await eventually('a release that has ended well', async () => {
      const all = (await Promise.all(ROLES.map((role) => scrape(metrics[role])))).flat();
      return all.some(({ name }) => name === 'flightline_last_success_timestamp_seconds') ? all : undefined;
    });
    const there = new Set(samples.flatMap(metricOf));
    const drawn = dashboardExpressions().flatMap(({ expr }) =>
      metricsIn(expr).map((name) => name.replace(/_bucket$/, '')),
    );
    expect([...documented, ...alerted, ...drawn].filter((name) => !there.has(name))).toEqual([]);
    const selectors = alertRules().flatMap(({ expr }) => selectorsIn(expr).filter(({ name }) => name !== 'up'));
    const withoutLabels = selectors.filter(
      ({ name, labels }) => !samples.some((one) => one.name === name && labels.every((label) => label in one.labels)),
    );
    expect(withoutLabels).toEqual([]);
    // Few series, whatever is released: neither a release nor its repository is a label.
    const own = samples.filter(({ name }) => name.startsWith('flightline_'));
    expect(own.flatMap(({ labels }) => Object.values(labels)).filter((text) => text.includes('/test/'))).toEqual([]);
  });

  it('count what happened', async () => {
    const of = async (role: Role) => {
      const samples = await scrape(metrics[role]);
      return (name: string, labels: Record<string, string>) => value(samples, name, labels);
    };
    // What is open is asked for every 15 seconds.
    await eventually('the held release is counted', async () => {
      return (await of('control'))('flightline_releases', { status: 'held' }) >= 1 || undefined;
    });
    const [control, build, sign] = [await of('control'), await of('build'), await of('sign')];
    expect(control('flightline_holds_total', { kind: 'containerfile' })).toBeGreaterThanOrEqual(1);
    expect(control('flightline_releases_ended_total', { status: 'released' })).toBeGreaterThanOrEqual(1);
    expect(control('flightline_workers', { role: 'sign' })).toBe(1);
    const last = control('flightline_last_success_timestamp_seconds', { workflow: 'release' });
    expect(Math.abs(Date.now() / 1_000 - last)).toBeLessThan(3_600);
    const built = { stage: 'build', outcome: 'done' };
    expect(build('flightline_stage_duration_seconds_count', built)).toBeGreaterThanOrEqual(1);
    expect(build('flightline_stage_duration_seconds_sum', built)).toBeGreaterThan(0.1);
    expect(build('flightline_stage_failures_total', { stage: 'build', kind: 'containerfile' })).toBeGreaterThanOrEqual(
      1,
    );
    expect(build('flightline_pushed_bytes_total', { what: 'image' })).toBeGreaterThan(10_000_000);
    expect(build('flightline_slots_limit', { slot: 'build' })).toBe(2);
    const work = { directory: stack.work };
    expect(build('flightline_disk_free_bytes', work)).toBeLessThan(build('flightline_disk_size_bytes', work));
    expect(sign('flightline_stage_duration_seconds_count', { stage: 'verify', outcome: 'done' })).toBeGreaterThan(0);
  });
});

/** The value of the one series with these labels; fails when there is not exactly one. */
function value(samples: readonly Sample[], name: string, labels: Record<string, string>): number {
  const found = samples.filter(
    (one) => one.name === name && Object.entries(labels).every(([label, text]) => one.labels[label] === text),
  );
  expect(found, `${name} ${JSON.stringify(labels)}`).toHaveLength(1);
  return found[0]!.value;
}

describe("a worker's log", () => {
  const read = async (role: Role) => {
    const text = await readFile(join(stack.directory, 'logs', `worker-${role}.log`), 'utf8');
    return text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  };

  it('is JSON, line by line, and says of which release and stage each event is', async () => {
    const lines = (await Promise.all(ROLES.map(read))).flat();
    expect(lines.filter((line) => typeof line['message'] !== 'string' || typeof line['level'] !== 'string')).toEqual(
      [],
    );
    const of = ({ release }: Project) => lines.filter((line) => line['release'] === `release/${release}`);
    const ended = of(released).filter((line) => line['event'] === 'stage-ended');
    expect(ended.map((line) => `${String(line['stage'])} ${String(line['outcome'])}`)).toEqual(
      expect.arrayContaining(
        ['resolve', 'build', 'push', 'sign', 'verify', 'tag', 'record'].map((one) => `${one} done`),
      ),
    );
    expect(ended.every((line) => typeof line['seconds'] === 'number' && line['attempt'] === 1)).toBe(true);
    expect(of(released)).toContainEqual(expect.objectContaining({ event: 'release-ended', status: 'released' }));
    const failed = { event: 'stage-ended', stage: 'build', outcome: 'failed', kind: 'containerfile', level: 'warn' };
    expect(of(held)).toContainEqual(expect.objectContaining(failed));
    expect(of(held)).toContainEqual(expect.objectContaining({ event: 'held', branch: 'image', stage: 'build' }));
  });

  it('holds neither secrets nor the tokens by which attempts are ended', async () => {
    for (const role of ROLES) {
      const lines = await read(role);
      expect(JSON.stringify(lines)).not.toContain(SECRET);
      expect(lines.filter((line) => 'taskToken' in line)).toEqual([]);
    }
    expect(JSON.stringify(await read('build'))).toContain('[secret]@packages.example');
  });
});
