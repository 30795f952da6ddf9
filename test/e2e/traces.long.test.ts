/** With OpenTelemetry's variables a release is one trace, from the client to each program; without them it is none. */
import { readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { NO_SPANS } from '../../workers/telemetry/traces-wanted.ts';
import { ROOT, runFlightline } from '../support/flightline.ts';
import { makeProject, type Project } from '../support/project.ts';
import { sharedStack } from '../support/shared-stack.ts';
import { startTestStack, withClient, type StackFacts, type TestStack } from '../support/stack.ts';
import { eventually } from '../support/wait.ts';

interface Attribute {
  key: string;
  value: Record<string, unknown>;
}

/** A span as OTLP's JSON has it. */
interface Span {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  attributes: Attribute[];
}

interface Sent {
  resourceSpans: { resource: { attributes: Attribute[] }; scopeSpans: { spans: Span[] }[] }[];
}

const TRACED = join(ROOT, 'dist/workflow-bundle-traced.cjs');
const UNTRACED = join(ROOT, 'dist/workflow-bundle.cjs');
const sent: string[] = [];
const collector = createServer((request, response) => {
  const parts: Buffer[] = [];
  request.on('data', (part: Buffer) => parts.push(part));
  request.on('end', () => {
    sent.push(Buffer.concat(parts).toString());
    response.setHeader('content-type', 'application/json').end('{}');
  });
});
let stack: TestStack;
let variables: Record<string, string>;
const projects: Project[] = [];

beforeAll(async () => {
  await new Promise<void>((done) => void collector.listen(0, '127.0.0.1', done));
  const { port } = collector.address() as AddressInfo;
  variables = { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`, OTEL_BSP_SCHEDULE_DELAY: '500' };
  Object.assign(process.env, variables);
  stack = await startTestStack();
  for (const name of Object.keys(variables)) delete process.env[name];
});
afterAll(async () => {
  await stack?.end();
  for (const project of projects) await project.remove();
  collector.close();
});

const spans = () =>
  sent
    .flatMap((body) => (JSON.parse(body) as Sent).resourceSpans.flatMap((one) => one.scopeSpans))
    .flatMap((scope) => scope.spans);
const services = () => [
  ...new Set(
    sent
      .flatMap((body) => (JSON.parse(body) as Sent).resourceSpans)
      .flatMap(({ resource }) => resource.attributes.filter(({ key }) => key === 'service.name'))
      .map(({ value }) => value['stringValue']),
  ),
];
const has = (span: Span, text: string) => JSON.stringify(span.attributes).includes(text);

async function release(facts: StackFacts, environment: Record<string, string>): Promise<Project> {
  const project = await makeProject({
    registry: facts.registry,
    name: 'traced',
    image: { alsoTag: ['stable'] },
    disks: [{ type: 'qcow2' }],
  });
  projects.push(project);
  const outcome = await runFlightline(['run', project.spec], { environment });
  expect(outcome, outcome.stderr).toMatchObject({ exitCode: 0 });
  return project;
}

const historyOf = (facts: StackFacts, project: Project) =>
  withClient(facts, (client) => client.workflow.getHandle(`release/${project.release}`).fetchHistory());

it('a release is one trace, with a span for each workflow, activity and program', async () => {
  const project = await release(stack, { ...stack.environment, ...variables });
  const start = await eventually('the command and the release send their spans', async () => {
    const all = spans();
    const [first] = all.filter(({ name }) => name === 'StartWorkflow:release');
    return first && all.some(({ name }) => name === 'RunWorkflow:release') ? first : undefined;
  });
  const trace = await eventually('all parents are there', async () => {
    const found = spans().filter(({ traceId }) => traceId === start.traceId);
    const ids = new Set(found.map(({ spanId }) => spanId));
    return found.every(({ parentSpanId }) => !parentSpanId || ids.has(parentSpanId)) ? found : undefined;
  });

  const elsewhere = spans().filter((span) => span.traceId !== start.traceId && has(span, project.release));
  expect(elsewhere.map(({ name }) => name)).toEqual([]);
  const byId = new Map(trace.map((span) => [span.spanId, span]));
  const parentOf = (span: Span) => byId.get(span.parentSpanId ?? '')?.name ?? '';
  const named = (pattern: RegExp) => trace.filter(({ name }) => pattern.test(name));
  expect(named(/^/).filter((span) => parentOf(span) === '')).toEqual([start]);
  expect(named(/^RunWorkflow:release$/).map(parentOf)).toEqual(['StartWorkflow:release']);
  const activities = ['resolve', 'build', 'push', 'sign', 'verify', 'diskBuild', 'publish', 'tag', 'record'];
  for (const name of activities) {
    const [span] = named(new RegExp(`^RunActivity:${name}$`));
    expect(span && parentOf(span), name).toBe(`StartActivity:${name}`);
  }
  for (const [name, parent] of [
    ['podman', 'RunActivity:build'],
    ['podman', 'RunActivity:diskBuild'],
    ['skopeo', 'RunActivity:verify'],
  ]) {
    expect(named(new RegExp(`^${name}$`)).map(parentOf)).toContain(parent);
  }
  expect(services().toSorted((one, other) => String(one).localeCompare(String(other)))).toEqual([
    'flightline',
    'flightline-build',
    'flightline-control',
    'flightline-sign',
  ]);

  // A program's span has nothing that it was told or has said.
  const told = named(/^(?:podman|skopeo)$/).flatMap(({ attributes }) => attributes.map(({ key }) => key));
  expect(new Set(told)).toEqual(new Set(['process.exit.code']));
  for (const file of [stack.privateKey, stack.passphrase]) {
    const lines = (await readFile(file, 'utf8')).trim().split('\n');
    const secret = lines.at(-2) ?? lines[0]!;
    expect(sent.filter((body) => body.includes(secret)).length, file).toBe(0);
  }

  const history = await historyOf(stack, project);
  expect(JSON.stringify(history)).toContain('_tracer-data');
  for (const codePath of [TRACED, UNTRACED]) {
    const workflow = `release/${project.release}`;
    await Worker.runReplayHistory({ workflowBundle: { codePath }, sinks: NO_SPANS }, history, workflow);
  }
});

it('what began without traces goes on with them', async () => {
  const folder = join(ROOT, 'test/histories');
  for (const file of readdirSync(folder).filter((name) => name.endsWith('.json'))) {
    const { workflowId, history } = JSON.parse(readFileSync(join(folder, file), 'utf8'));
    const replay = Worker.runReplayHistory(
      { workflowBundle: { codePath: TRACED }, sinks: NO_SPANS },
      history,
      workflowId,
    );
    await expect(replay, file).resolves.toBeUndefined();
  }
});

it('without the variables nothing is sent, and neither history nor bundle knows of traces', async () => {
  const plain = sharedStack();
  const before = sent.length;
  const project = await release(plain, plain.environment);
  expect(sent.length).toBe(before);
  expect(JSON.stringify(await historyOf(plain, project))).not.toContain('_tracer-data');
  expect((await readFile(UNTRACED, 'utf8')).includes('@opentelemetry/')).toBe(false);
});
