/** Debian's Prometheus reads a running stack: the dashboard's expressions have data, and the alert rules work. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { findProgram } from '../../scripts/setup/detect.ts';
import { chooseFreePorts } from '../../workers/stack/ports.ts';
import { ROOT, runFlightline } from '../support/flightline.ts';
import { alertRules, dashboardExpressions } from '../support/metrics.ts';
import { makeProject, type Project } from '../support/project.ts';
import { sharedStack } from '../support/shared-stack.ts';
import { stopped } from '../support/stopped.ts';
import { eventually } from '../support/wait.ts';

const stack = sharedStack();
const { environment } = stack;
const HELD = 4;

let directory: string;
let address: string;
let prometheus: ChildProcess;
const projects: Project[] = [];

interface Answer {
  status: string;
  error?: string;
  data: { result: { metric: Record<string, string>; value: [number, string] }[] };
}

beforeAll(async () => {
  const program = await findProgram(['prometheus']);
  if (program === undefined) throw new Error("Prometheus is not there: install Debian's package prometheus");
  directory = await mkdtemp(join(tmpdir(), 'flightline-prometheus-'));
  const [port] = await chooseFreePorts(1);
  address = `127.0.0.1:${port}`;
  const configuration = join(directory, 'prometheus.yml');
  await writeFile(
    configuration,
    // JSON is YAML.
    JSON.stringify({
      global: { scrape_interval: '1s', evaluation_interval: '1s' },
      rule_files: [join(ROOT, 'deploy/alerts.yaml')],
      scrape_configs: [{ job_name: 'flightline', static_configs: [{ targets: Object.values(stack.metrics) }] }],
    }),
  );
  const storage = ['--storage.tsdb.path', join(directory, 'data')];
  const args = ['--config.file', configuration, ...storage, '--web.listen-address', address, '--log.level', 'warn'];
  prometheus = spawn(program, args, { cwd: directory, stdio: ['ignore', 'inherit', 'inherit'] });
  await eventually('Prometheus answers', async () =>
    fetch(`http://${address}/-/ready`).then(
      ({ ok }) => ok || undefined,
      () => undefined,
    ),
  );
});
afterAll(async () => {
  if (prometheus) await stopped(prometheus, 'SIGTERM');
  for (const project of projects) {
    await runFlightline(['cancel', project.release], { environment });
    await project.remove();
  }
  await rm(directory, { recursive: true, force: true });
});

async function run(name: string, tag: string, lines: string[]): Promise<number> {
  const project = await makeProject({ registry: stack.registry, name, tag, lines, disks: [{ type: 'qcow2' }] });
  projects.push(project);
  return (await runFlightline(['run', project.spec], { environment })).exitCode;
}

async function ask(expression: string): Promise<Answer> {
  const response = await fetch(`http://${address}/api/v1/query?query=${encodeURIComponent(expression)}`);
  return (await response.json()) as Answer;
}

it('every expression of the dashboard has data after a day of releases', async () => {
  // A rate needs a series that is known before it grows.
  for (const tag of ['v1', 'v2']) {
    expect(await run('watched', tag, [`RUN echo ${tag}`])).toBe(0);
    expect(await run('watched-held', tag, ['RUN false'])).toBe(HELD);
  }
  const without = await eventually('data for all', async () => {
    const missing: string[] = [];
    for (const { title, expr } of dashboardExpressions()) {
      const { status, error, data } = await ask(expr);
      expect(status, `${expr}: ${error}`).toBe('success');
      if (!data.result.some(({ value: [, text] }) => Number.isFinite(Number(text)))) missing.push(`${title}: ${expr}`);
    }
    return missing.length === 0 ? missing : undefined;
  }).catch(async (error: Error) => {
    const names = ((await (await fetch(`http://${address}/api/v1/label/__name__/values`)).json()) as { data: string[] })
      .data;
    throw new Error(`${error.message}; there are ${names.filter((one) => one.startsWith('flightline')).join(' ')}`);
  });
  expect(without).toEqual([]);
});

it('every alert rule is evaluated, and the held release is about to be told', async () => {
  const rules = await eventually('the rules were evaluated', async () => {
    const response = await fetch(`http://${address}/api/v1/rules`);
    const { data } = (await response.json()) as {
      data: { groups: { rules: { name: string; health: string; state: string }[] }[] };
    };
    const all = data.groups.flatMap((group) => group.rules);
    return all.every(({ health }) => health !== 'unknown') ? all : undefined;
  });
  expect(rules.map(({ name }) => name).toSorted()).toEqual(
    alertRules()
      .map(({ alert }) => alert)
      .toSorted(),
  );
  expect(rules.filter(({ health }) => health !== 'ok')).toEqual([]);
  expect(rules.find(({ name }) => name === 'FlightlineReleaseHeld')?.state).toBe('pending');
});
