/** A schedule with short periods: the first release, nights on which nothing has changed, a night with another base. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { releaseId, signatureTag } from '../../model/oci/reference.ts';
import { EXAMPLE_IMAGES } from '../../workers/stack/example-images.ts';
import { runFlightline } from '../support/flightline.ts';
import { containersCreated, leftOvers } from '../support/host-state.ts';
import { endedRuns, pushVariant, requestsOf, runAfter, schedule } from '../support/nightly.ts';
import { makeProject, type Project } from '../support/project.ts';
import { digestOf, manifestOf } from '../support/registry.ts';
import { sharedStack } from '../support/shared-stack.ts';
import { withClient } from '../support/stack.ts';
import { eventually } from '../support/wait.ts';

const stack = sharedStack();
/** Every seven seconds; Temporal takes seconds in front and the year behind. */
const CRON = '*/7 * * * * * *';

let project: Project;
let base: string;

beforeAll(async () => {
  base = `${stack.registry}/test/nightly-base:1`;
  await pushVariant(stack, EXAMPLE_IMAGES.base.local, base);
  project = await makeProject({
    registry: stack.registry,
    name: 'nightly',
    tag: 'n-{{date}}',
    containerfile: `FROM ${base}\nRUN echo nightly > /usr/share/nightly\n`,
    image: { alsoTag: ['nightly'] },
    spec: { rebuild: 'when-changed', schedule: { cron: CRON } },
  });
});
afterAll(async () => {
  await runFlightline(['schedule', 'delete', project.repository], { environment: stack.environment });
  await project.remove();
});

/** Blobs that were read beside the signed record and the payloads of signatures: none of the image, of no context. */
async function blobsRead(from: number, to: number): Promise<string[]> {
  const asked = await requestsOf(stack, 'test/nightly', from + 1_000, to);
  const read = asked.filter(({ method, path }) => method === 'GET' && path.includes('/blobs/'));
  expect(read.length).toBeGreaterThan(0);
  const image = (await digestOf(`${project.repository}:nightly`))!;
  const signature = await manifestOf(`${project.repository}:${signatureTag(image)}`);
  const payloads = (signature as { layers?: { digest: string }[] }).layers!.map(({ digest }) => digest);
  const paths = read.map(({ path }) => path).filter((path) => !path.startsWith('/v2/test/nightly/release/'));
  return paths.filter((path) => !payloads.some((digest) => path.endsWith(digest)));
}

it('releases at first, then nothing, then what another base makes', async () => {
  const { repository, spec } = project;
  const set = await schedule(stack, 'set', spec);
  expect(set).toMatchObject({ repository, cron: CRON, timeZone: 'UTC', created: true, paused: false });

  const first = await runAfter(stack, repository, 0);
  expect(first).toMatchObject({
    outcome: 'released',
    reason: expect.stringMatching(/^no record of an earlier release/),
  });
  expect(first.release).toMatch(/:n-\d{8}$/);
  const released = await digestOf(first.release!);
  expect(await digestOf(`${repository}:nightly`)).toBe(released);

  const nights = await eventually('two nights on which nothing changed', async () => {
    const later = (await endedRuns(stack, repository)).slice(1);
    return later.length >= 2 ? later.slice(0, 2) : undefined;
  });
  for (const night of nights) {
    expect(night).toMatchObject({ outcome: 'unchanged', release: first.release });
  }
  const [from, to] = [nights[0]!.startedAt, nights[1]!.endedAt];
  expect(await containersCreated(stack, from)).toBe(0);
  const asked = await requestsOf(stack, 'test/nightly', from + 1_000, to);
  expect(asked.filter(({ method }) => method === 'HEAD').length).toBeGreaterThan(0);
  expect(asked.filter(({ method }) => !['GET', 'HEAD'].includes(method))).toEqual([]);
  expect(await blobsRead(from, to)).toEqual([]);
  await withClient(stack, async (client) => {
    const runs = [];
    const query = `WorkflowId = '${releaseId(repository, first.release!.split(':').at(-1)!)}'`;
    for await (const run of client.workflow.list({ query })) runs.push(run.runId);
    expect(runs).toHaveLength(1);
  });

  await pushVariant(stack, EXAMPLE_IMAGES.base.local, base);
  const changed = await eventually('a night with another base', async () =>
    (await endedRuns(stack, repository)).find(({ outcome }, index) => index > 0 && outcome !== 'unchanged'),
  );
  expect(changed).toMatchObject({ outcome: 'released' });
  expect(changed.reason).toMatch(/^base \S+\/test\/nightly-base:1 sha256:[0-9a-f]{12} → sha256:[0-9a-f]{12}$/);
  expect(await digestOf(`${repository}:nightly`)).not.toBe(released);

  const paused = await schedule(stack, 'pause', repository, '--note', 'the registry is moved');
  expect(paused).toMatchObject({ paused: true, note: 'the registry is moved', nextAt: null });
  await eventually('no run is under way', async () => {
    const { running } = await schedule(stack, 'show', repository);
    return running === null ? true : undefined;
  });
});

it('runs when it is triggered, also while it is paused, and shows what there was', async () => {
  const { repository } = project;
  const before = (await endedRuns(stack, repository)).length;
  await schedule(stack, 'trigger', repository);
  await eventually('the triggered run', async () => {
    const runs = await endedRuns(stack, repository);
    return runs.length > before ? runs : undefined;
  });
  const shown = await schedule(stack, 'show', repository);
  expect(shown).toMatchObject({
    paused: true,
    now: { change: 'none', reason: expect.stringMatching(/^nothing has changed since/) },
  });
  const { runs } = shown as unknown as { runs: { outcome: string; reason: string }[] };
  expect(runs[0]).toMatchObject({ outcome: 'unchanged' });
  expect(runs.at(-1)).toMatchObject({ outcome: 'released' });
  const { schedules } = (await schedule(stack, 'list')) as unknown as { schedules: { repository: string }[] };
  expect(schedules.map((one) => one.repository)).toEqual([repository]);
});

it('may be run by hand in the same way, and makes nothing either', async () => {
  const from = Date.now();
  const outcome = await runFlightline(['run', project.spec, '--json'], { environment: stack.environment });
  expect(outcome.exitCode, outcome.stderr).toBe(0);
  expect(JSON.parse(outcome.stdout)).toMatchObject({ status: 'unchanged', image: { verified: true } });
  // The record says what is in the context: that is not read again.
  expect(await blobsRead(from - 1_000, Date.now() + 1_000)).toEqual([]);
});

it('is changed, resumed and deleted', async () => {
  const { repository, spec } = project;
  const again = await schedule(stack, 'set', spec, '--cron', '0 2 * * *', '--time-zone', 'Europe/Berlin');
  // 02:00 is the moment at which the clocks go forward.
  expect(again).toMatchObject({
    warnings: [expect.stringMatching(/clocks of Europe\/Berlin .*: no run at 02:00 then$/)],
  });
  expect(again).toMatchObject({ created: false, cron: '0 2 * * *', timeZone: 'Europe/Berlin', paused: true });
  const resumed = await schedule(stack, 'resume', repository);
  expect(resumed).toMatchObject({ paused: false, nextAt: expect.stringMatching(/T0[01]:00:00/) });
  await schedule(stack, 'delete', repository);
  const gone = await runFlightline(['schedule', 'show', repository], { environment: stack.environment });
  expect(gone.exitCode).toBe(2);
  expect(gone.stderr).toContain('there is no schedule');
  expect(await leftOvers(stack)).toEqual([]);
});
