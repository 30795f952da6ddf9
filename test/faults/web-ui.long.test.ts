/** What a person sees on one page of the Temporal Web UI: nobody signs; a promotion waits; a host is gone. */
import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { ROOT, runFlightline, startFlightline } from '../support/flightline.ts';
import { closedGate, type Gate } from '../support/gate.ts';
import { makeProject, type Project } from '../support/project.ts';
import { startBuildHost, type BuildHost } from '../support/second-host.ts';
import { startTestStack, TWO_HOSTS_TIMING, type TestStack } from '../support/stack.ts';
import { eventually } from '../support/wait.ts';
import { openWebUi, type WebUi } from '../support/web-ui.ts';

/** Bytes: the pictures are part of the repository. */
const MAX_PICTURE = 200_000;

let scratch: string;
let stack: TestStack;
let host: BuildHost;
let ui: WebUi;
let gate: Gate;
let signer: ReturnType<typeof startFlightline> | undefined;
let environment: Record<string, string>;
const projects: Project[] = [];

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'flightline-web-ui-'));
  stack = await startTestStack({ roles: ['control'] });
  environment = { ...stack.environment, FLIGHTLINE_TIMING: JSON.stringify(TWO_HOSTS_TIMING) };
  host = await startBuildHost(stack.stack, { name: 'host-a', limits: { build: 2, disk: 1 } });
  gate = await closedGate();
  ui = await openWebUi(stack.webUi);
});
afterAll(async () => {
  await ui?.close();
  gate?.close();
  signer?.kill('SIGTERM');
  await signer;
  for (const project of projects) await project.remove();
  await host?.end();
  await stack?.end();
  await rm(scratch, { recursive: true, force: true });
});
beforeEach(({ onTestFailed, task }) => {
  onTestFailed(() => ui.keep(task.name));
});

/** Starts a release. @returns its workflow's id */
async function begin(name: string, lines: string[]): Promise<string> {
  const project = await makeProject({ registry: stack.registry, name, lines, disks: [] });
  projects.push(project);
  const { exitCode, stderr } = await runFlightline(['run', project.spec, '--detach'], { environment });
  expect(exitCode, stderr).toBe(0);
  return `release/${project.release}`;
}

/** The current details of a workflow once they say something. @param texts how many its page has */
async function pageSays(release: string, wanted: RegExp, texts = 3): Promise<string> {
  return eventually(String(wanted), async () => {
    await ui.open(release, 'user-metadata');
    // Summary, details and current details: each comes when its frame is there.
    const shown = await eventually(`${texts} texts`, async () => {
      const found = await ui.markdown();
      return found.length >= texts ? found : undefined;
    });
    return shown.find((text) => wanted.test(text));
  });
}

/** Takes a picture, into docs/ where FLIGHTLINE_WEB_UI_PICTURES names it. */
async function picture(name: string): Promise<void> {
  const wanted = process.env['FLIGHTLINE_WEB_UI_PICTURES'];
  const path = join(wanted === undefined ? scratch : resolve(ROOT, wanted), `${name}.png`);
  await ui.page.screenshot({ path });
  expect((await stat(path)).size).toBeLessThan(MAX_PICTURE);
}

it('a release for which nobody signs says so, since when, and what starts one', async () => {
  const release = await begin('unsigned', []);
  const said = await pageSays(release, /sign image: /);
  expect(said).toMatch(
    /waits for a sign worker to prove that release can sign, since 20\S+ \S+:\d\dZ; flightline worker --role sign/,
  );
  await picture('web-ui-no-sign-worker');
});

it('a promotion that waits for approval says what for, and what to do', async () => {
  signer = startFlightline(['worker', '--role', 'sign', '--config', join(stack.directory, 'worker.yaml')], {
    environment,
    timeout: 600_000,
  });
  const name = `${stack.registry}/test/unsigned`;
  const watched = await runFlightline(['watch', `${name}:v1`], { environment });
  expect(watched.exitCode, watched.stderr).toBe(0);
  const args = ['promote', `${name}:v1`, '--to', 'stable', '--approval', 'required'];
  const waiting = await runFlightline(args, { environment });
  expect(waiting.exitCode, waiting.stderr).toBe(4);
  const said = await pageSays(`promote/${name}:stable`, /is held/, 2);
  expect(said).toContain(`${name}:v1 → ${name}:stable is held: `);
  expect(said).toContain('waits for approval: no tag has moved');
  expect(said).toContain(`flightline approve ${name}:stable`);
  expect(said).toContain(`flightline reject ${name}:stable`);
  expect(said).toMatch(/sha256:[0-9a-f]{64}/);
  const [down, across] = await ui.overflow();
  expect(Math.max(down, across), 'nothing is cut').toBeLessThanOrEqual(0);
  await picture('web-ui-waiting-promotion');
});

it('a release whose host is gone says which, and since when', async () => {
  const release = await begin('orphan', [gate.line]);
  await eventually('the build waits at its gate', async () => (await gate.isReached()) || undefined);
  await host.lose();
  const said = await pageSays(release, /host-a does not answer/);
  expect(said).toMatch(/build image: host-a does not answer, since 20\S+ \S+Z; it waits for a build host/);
  await picture('web-ui-dead-host');
});
