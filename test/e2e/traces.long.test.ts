/** With OpenTelemetry's variables a release is one trace, from the client to each program; without them it is none. */
import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from '@temporalio/worker';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { NO_SPANS } from '../../workers/telemetry/traces-wanted.ts';
import { ROOT, runFlightline } from '../support/flightline.ts';
import { LOGIN } from '../support/own-registry.ts';
import { makeProject, type Project, type ProjectOptions } from '../support/project.ts';
import { sharedStack } from '../support/shared-stack.ts';
import { startTestStack, withClient, type StackFacts, type TestStack } from '../support/stack.ts';
import { logInFlightctl, STAND_IN_FLIGHTCTL } from '../support/stand-in-flightctl.ts';
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
/** What is in the message of a failure, which spans have. */
const CANARY = 'canary-51d0b2f6aa';
const HELD = 4;
/** What a build step is given, and the log-in to Flight Control: only this test has them. */
const BUILD_SECRET = `build-${process.pid}-4c1d9e77`;
const FLIGHTCTL_TOKEN = `flightctl-${process.pid}-b0aa51d0`;
const REGISTRY_LOGIN = Buffer.from(`${LOGIN.username}:${LOGIN.password}`).toString('base64');
let scratch: string;
let stack: TestStack;
let variables: Record<string, string>;
const projects: Project[] = [];

beforeAll(async () => {
  await new Promise<void>((done) => void collector.listen(0, '127.0.0.1', done));
  const { port } = collector.address() as AddressInfo;
  variables = { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${port}`, OTEL_BSP_SCHEDULE_DELAY: '500' };
  scratch = await mkdtemp(join(tmpdir(), 'flightline-traces-test-'));
  const kept = async (name: string, text: string) => {
    await writeFile(join(scratch, name), text, { mode: 0o600 });
    return join(scratch, name);
  };
  const htpasswd = await kept('htpasswd', `${LOGIN.htpasswd}\n`);
  const authfile = await kept('auth.json', '{"auths":{}}');
  const file = await kept('token', BUILD_SECRET);
  const { directory: configDirectory } = await logInFlightctl(join(scratch, 'flightctl'));
  await kept('flightctl/client.yaml', `service: {}\nauthentication: { access-token: ${FLIGHTCTL_TOKEN} }\n`);
  Object.assign(process.env, variables);
  stack = await startTestStack(
    {
      registryAuth: { htpasswd, authfile },
      configure: (configuration) => {
        const { repositories } = configuration.keys['release']!;
        const flightctl = { configDirectory, program: STAND_IN_FLIGHTCTL, repositories, requestTimeout: 60 };
        return { ...configuration, secrets: { token: { file, repositories } }, flightctl };
      },
    },
    ({ registry }) => writeFile(authfile, JSON.stringify({ auths: { [registry]: { auth: REGISTRY_LOGIN } } })),
  );
  variables['REGISTRY_AUTH_FILE'] = authfile;
  for (const name of Object.keys(variables)) delete process.env[name];
});
afterAll(async () => {
  await stack?.end();
  for (const project of projects) await project.remove();
  collector.close();
  await rm(scratch, { recursive: true, force: true });
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

/** Every secret is used: a build step's, the log-in to Flight Control, and the registry's by all that pull and push. */
const WITH_SECRETS = {
  lines: [
    'RUN --mount=type=secret,id=t sha256sum < /run/secrets/t > /usr/share/sum',
    'RUN mkdir -p /etc/flightctl',
    'ADD config.yaml /etc/flightctl/',
  ],
  spec: {
    secrets: [{ id: 't', from: 'token' }],
    enrollment: { binding: 'early', expiration: '30d', signer: 'enrollment' },
  },
};

async function release(
  facts: StackFacts,
  environment: Record<string, string>,
  more: Partial<ProjectOptions> & { exitCode?: number } = {},
): Promise<Project> {
  const { exitCode = 0, ...options } = more;
  const project = await makeProject({
    registry: facts.registry,
    name: 'traced',
    image: { alsoTag: ['stable'] },
    disks: [{ type: 'qcow2' }],
    ...options,
  });
  projects.push(project);
  const outcome = await runFlightline(['run', project.spec], { environment });
  expect(outcome, outcome.stderr).toMatchObject({ exitCode });
  return project;
}

const historyOf = (facts: StackFacts, project: Project) =>
  withClient(facts, (client) => client.workflow.getHandle(`release/${project.release}`).fetchHistory());

it('a release is one trace, with a span for each workflow, activity and program', async () => {
  const project = await release(stack, { ...stack.environment, ...variables }, WITH_SECRETS);
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

  const history = await historyOf(stack, project);
  expect(JSON.stringify(history)).toContain('_tracer-data');
  for (const codePath of [TRACED, UNTRACED]) {
    const workflow = `release/${project.release}`;
    await Worker.runReplayHistory({ workflowBundle: { codePath }, sinks: NO_SPANS }, history, workflow);
  }
});

it('a release that is held has its message there', async () => {
  const lines = [`RUN --mount=type=secret,id=t cat /run/secrets/t && echo ${CANARY} && false`];
  const more = {
    name: 'traced-failing',
    lines,
    disks: [],
    spec: { secrets: WITH_SECRETS.spec.secrets },
    exitCode: HELD,
  };
  const environment = { ...stack.environment, ...variables };
  const { release: held } = await release(stack, environment, more);
  expect(await runFlightline(['cancel', held], { environment })).toMatchObject({ exitCode: 0 });
  await eventually('its spans are sent', async () => {
    return (
      spans().some((span) => span.name === 'RunActivity:build' && JSON.stringify(span).includes(CANARY)) || undefined
    );
  });
});

it('nothing that was sent holds a secret: key, passphrase, log-ins, what a build step was given', async () => {
  const lineOf = async (path: string) => {
    const lines = (await readFile(path, 'utf8')).trim().split('\n');
    return lines.at(-2) ?? lines[0]!;
  };
  const key = [await lineOf(stack.privateKey), await lineOf(stack.passphrase)];
  const secrets = [...key, LOGIN.password, REGISTRY_LOGIN, BUILD_SECRET, FLIGHTCTL_TOKEN];
  // The whole of each request: resources, spans, attributes, events and links.
  for (const secret of secrets) expect(sent.filter((body) => body.includes(secret)).length, secret).toBe(0);
  expect(spans().some(({ name }) => name.includes('flightctl'))).toBe(true);
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
