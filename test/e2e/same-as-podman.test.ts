/**
 * What is published is what podman builds of the same directory: released by the real activities, and compared file by
 * file.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { BuildInput } from '../../model/contract/build.ts';
import { IMAGES, REFUSED, STAGES } from '../support/containerfiles.ts';
import { openComparison, type PodmanComparison } from '../support/podman-comparison.ts';

/** Stages in an image. */
const BATCH = 13;
/** Each test waits until all have built. */
const SIDE_BY_SIDE = { concurrent: true, timeout: 1_800_000 };

let podman: PodmanComparison;
beforeAll(async () => {
  podman = await openComparison();
});
afterAll(async () => {
  await podman?.close();
});

/** One Containerfile of many: each becomes a stage, and what it has below `/t` a directory of the image. */
function batchOf(stages: readonly string[]): string {
  return [
    'FROM @BASE@ AS first\nCOPY a.txt /t/of-first',
    ...stages.map((text, index) => `FROM @BASE@ AS s${index}\n${text}`),
    // Nothing of another run is taken from podman's cache.
    `FROM scratch\nLABEL containers.bootc=1 run=${process.pid}.${podman.since}`,
    // podman leaves out a stage that nothing names outright.
    'COPY --from=first /t /first',
    ...stages.map((_, index) => `COPY --from=s${index} /t /${index}`),
    '',
  ].join('\n');
}

/**
 * Puts cases into a file together when they have one stage and no instruction in common, so that the configuration
 * holds what each of them sets: every release takes seconds.
 */
function inFewFiles(cases: readonly [name: string, text: string][]): [names: string, text: string][] {
  const joint: { names: string; text: string; words: string[] }[] = [];
  const alone: [string, string][] = [];
  for (const [name, text] of cases) {
    const [from, ...rest] = text.split('\n');
    const body = rest.join('\n');
    const words = body.match(/^[A-Z]+(?= )/gm) ?? [];
    if (from !== 'FROM @BASE@' || words.some((word) => ['FROM', 'COPY', 'RUN'].includes(word))) {
      alone.push([name, text]);
      continue;
    }
    const file = joint.find((one) => !words.some((word) => one.words.includes(word)));
    if (!file) joint.push({ names: name, text, words });
    else Object.assign(file, { names: `${file.names}, ${name}`, text: `${file.text}\n${body}` }).words.push(...words);
  }
  return [...joint.map(({ names, text }): [string, string] => [names, text]), ...alone];
}

describe('files are the same', SIDE_BY_SIDE, () => {
  const stages = Object.entries(STAGES);
  const batches = Array.from({ length: Math.ceil(stages.length / BATCH) }, (_, at) =>
    stages.slice(at * BATCH, (at + 1) * BATCH),
  );
  it.each(batches.map((batch) => [batch.map(([name]) => name).join(', '), batch] as const))('%s', async (_, batch) => {
    const { differences, built } = await podman.compare(batchOf(batch.map(([, text]) => text)));
    expect(differences).toEqual([]);
    expect(built.bases).toContainEqual(podman.base);
  });
});

describe('the image is the same', SIDE_BY_SIDE, () => {
  it.each(inFewFiles(Object.entries(IMAGES)))('%s', async (_, text) => {
    expect((await podman.compare(text)).differences).toEqual([]);
  });
});

describe('keys of the spec are what the flags of podman build are', SIDE_BY_SIDE, () => {
  it.each<[string, string, Partial<BuildInput>, string[]]>([
    ['target', 'FROM @BASE@ AS one\nENV A=1\nFROM @BASE@ AS two\nENV A=2', { target: 'one' }, ['--target=one']],
    ['labels', 'FROM @BASE@\nLABEL own=1', { labels: { a: 'b c' } }, ['--label=a=b c']],
    ['annotations', 'FROM @BASE@\nENV A=1', { annotations: { a: 'b c' } }, ['--annotation=a=b c']],
    ['buildArgs', 'FROM @BASE@\nARG A\nENV B=$A', { buildArgs: { A: '-x y' } }, ['--build-arg=A=-x y']],
  ])('%s', async (_, text, input, flags) => {
    const { differences } = await podman.compare(text, input, flags);
    // What flags say of labels is one step, of which flightline's own are part.
    expect(differences.filter((line) => input.labels === undefined || !line.startsWith('history:'))).toEqual([]);
  });

  it('buildContexts', async () => {
    const image = `docker-image://${podman.other.reference}`;
    const text = 'FROM @BASE@\nCOPY --from=tools /other-file /x';
    const flags = [`--build-context=tools=${image}`];
    const { differences, built } = await podman.compare(text, { buildContexts: { tools: image } }, flags);
    expect(differences).toEqual([]);
    expect(built.bases).toContainEqual(podman.other);
  });
});

describe("podman's refusal is told at once, in its own words", SIDE_BY_SIDE, () => {
  it.each(Object.entries(REFUSED))('%s', async (_, text) => {
    const { own, failure } = await podman.refusal(text);
    expect(own).not.toBe('');
    expect(failure).toMatchObject({ type: 'containerfile', nonRetryable: true });
    expect((failure as Error).message).toContain(own);
  });
});
