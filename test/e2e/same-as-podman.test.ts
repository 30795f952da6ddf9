/**
 * What is published is what podman builds of the same directory: released by the real activities, and compared file by
 * file.
 */
import { mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { offeredOn } from '../../activities/index.ts';
import { sha256 } from '../../model/base/digest.ts';
import { FlightlineSpec } from '../../model/spec/flightline-spec.ts';
import { makeRequest } from '../../model/spec/make-request.ts';
import type { PinnedImage } from '../../model/release/record.ts';
import { runActivity } from '../support/activity.ts';
import { PROJECTS } from '../support/compared-projects.ts';
import { batches, batchOf, FROMS, IMAGES, inFewFiles, REFUSED, STAGES } from '../support/containerfiles.ts';
import { differencesOf } from '../support/random-containerfiles.ts';
import { openComparison, type ComparedProject, type PodmanComparison } from '../support/podman-comparison.ts';

const SEED = Number(process.env.FLIGHTLINE_SEED ?? 20_261_129);
/** Made from the seed, in one file. */
const CASES = 5;
/** Each test waits until all have built. */
const SIDE_BY_SIDE = { concurrent: true, timeout: 1_800_000 };

let podman: PodmanComparison;
beforeAll(async () => {
  podman = await openComparison();
});
afterAll(async () => {
  await podman?.close();
});

/** A local image of one file. */
async function imageOf(name: string, time: number): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'flightline-image-'));
  try {
    await writeFile(join(directory, name), name);
    await utimes(join(directory, name), time, time);
    await writeFile(join(directory, 'Containerfile'), `FROM scratch\nCOPY ${name} /\n`);
    return (await execa('podman', ['build', '--quiet', '--layers=false', directory])).stdout;
  } finally {
    await rm(directory, { recursive: true });
  }
}

async function copy(from: string, to: string): Promise<void> {
  const flags = ['--insecure-policy', 'copy', '--quiet', '--src-tls-verify=false', '--dest-tls-verify=false'];
  await execa('skopeo', [...flags, from, to]);
}

/** Publishes an image beside another, whose configuration alone is another: the layers and the history are the same. */
async function withEnvironment({ reference }: PinnedImage, name: string, environment: string[]): Promise<PinnedImage> {
  const directory = await mkdtemp(join(tmpdir(), 'flightline-configured-'));
  try {
    await copy(`docker://${reference}`, `dir:${directory}`);
    const read = async (file: string) => JSON.parse(await readFile(join(directory, file), 'utf8')) as Mutable;
    const manifest = await read('manifest.json');
    const configuration = await read(manifest.config.digest!.slice(7));
    configuration.config.Env = environment;
    const text = JSON.stringify(configuration);
    manifest.config.digest = `sha256:${sha256(text)}`;
    manifest.config.size = text.length;
    await writeFile(join(directory, sha256(text)), text);
    await writeFile(join(directory, 'manifest.json'), JSON.stringify(manifest));
    const made = `${dirname(reference)}/${name}:1`;
    await copy(`dir:${directory}`, `docker://${made}`);
    return { reference: made, digest: `sha256:${sha256(JSON.stringify(manifest))}` };
  } finally {
    await rm(directory, { recursive: true });
  }
}

interface Mutable {
  config: { digest?: string; size?: number; Env?: string[] };
}

describe('files are the same', SIDE_BY_SIDE, () => {
  it.each(batches(STAGES))('%s', async (_, batch) => {
    const { differences, built } = await podman.compare(batchOf(batch, podman.since));
    expect(differences).toEqual([]);
    expect(built.bases).toContainEqual(podman.base);
  });

  it('ways to reach a base', async () => {
    const forms = Object.values(FROMS);
    const text = batchOf(
      forms.map(([, stage], index) => stage.replace('NAME', `s${index}`)),
      podman.since,
    );
    const { differences, built } = await podman.compare(`${forms.map(([before]) => before).join('\n')}\n${text}`);
    expect(differences).toEqual([]);
    expect(built.bases).toEqual([podman.base]);
  });
});

describe('the image is the same', SIDE_BY_SIDE, () => {
  it.each(inFewFiles(Object.entries(IMAGES)))('%s', async (_, text) => {
    expect((await podman.compare(text)).differences).toEqual([]);
  });
});

describe('a project with its files is the same', SIDE_BY_SIDE, () => {
  it.each(Object.entries(PROJECTS))('%s', async (_, { more, flags, ...project }) => {
    expect((await podman.compare(project, more, flags)).differences).toEqual([]);
  });
});

it(`${CASES} Containerfiles of the seed ${SEED} are the same`, SIDE_BY_SIDE, async () => {
  expect(await differencesOf(podman, SEED, 0, CASES)).toEqual([]);
});

it('keys of the spec are what the flags of podman build are', SIDE_BY_SIDE, async () => {
  const image = `docker-image://${podman.other.reference}`;
  const text = [
    'FROM @BASE@ AS one\nARG A\nENV B=$A\nLABEL own=1\nCOPY --from=tools /other-file /x',
    'FROM one AS two\nENV B=2',
  ].join('\n');
  const input = {
    target: 'one',
    labels: { a: 'b c' },
    annotations: { a: 'b c' },
    buildArgs: { A: '-x y' },
    buildContexts: { tools: image },
  };
  const flags = ['--target=one', '--label=a=b c', '--annotation=a=b c', '--build-arg=A=-x y'];
  const { differences, built } = await podman.compare(text, input, [...flags, `--build-context=tools=${image}`]);
  // What flags say of labels is one step, of which flightline's own are part.
  expect(differences.filter((line) => !line.startsWith('history:'))).toEqual([]);
  expect(built.bases).toContainEqual(podman.other);
});

it('what podman kept of another build brings none of its annotations along', async () => {
  const text = 'FROM @BASE@\nENV KEPT=1';
  const first = await podman.compare(text, { annotations: { a: 'b c' } }, ['--annotation=a=b c']);
  expect(first.differences).toEqual([]);
  expect((await podman.compare(`# Of another project\n${text}`)).differences).toEqual([]);
});

describe('what podman kept is not taken where an image from outside has become another', () => {
  const anew = ['--pull=always'];
  it('of equal contents, with other times', async () => {
    for (const time of [1_600_000_000, 1_650_000_000]) {
      const image = await podman.publish('twin', await imageOf('kept', time));
      const { differences, built } = await podman.compare(
        'FROM @BASE@\nCOPY --from=@REGISTRY@/twin:1 /kept /t/',
        {},
        anew,
      );
      expect(differences).toEqual([]);
      expect(built.bases).toEqual([podman.base, image]);
    }
  });

  it('with equal layers and history, and another configuration', async () => {
    for (const value of ['1', '2']) {
      const image = await withEnvironment(podman.base, 'configured', ['PATH=/bin', `A=${value}`]);
      const { differences, built } = await podman.compare('FROM @REGISTRY@/configured:1\nCOPY a.txt /t/', {}, anew);
      expect(differences).toEqual([]);
      expect(built.bases).toEqual([image]);
    }
  });
});

it('what podman kept of another proxy is not taken', async () => {
  for (const proxy of ['http://one.example', 'http://two.example']) {
    const flags = [`--build-arg=HTTP_PROXY=${proxy}`];
    const text = 'FROM @BASE@\nENV KEPT=$HTTP_PROXY\nRUN mkdir /t && echo "$HTTP_PROXY" > /t/proxy';
    expect((await podman.compare(text, { buildArgs: { HTTP_PROXY: proxy } }, flags)).differences).toEqual([]);
  }
});

describe('what podman kept of another project with the same Containerfile is not taken', () => {
  const mount = 'RUN --mount=type=bind,from=one,target=/m cat /m/of-stage > /t/mounted';
  const plain = 'FROM @BASE@\nLABEL kept=1\nCOPY a.txt /t/';
  const directory = `${plain}\nCOPY dir /t/dir/`;
  const heredoc = (value: string) => `FROM @BASE@ AS two\nARG V\nRUN <<END\nmkdir /t\necho ${value} > /t/two\nEND`;
  const first = `FROM @BASE@ AS one\nCOPY of-stage /\n${heredoc('1')}`;
  const whole = `${first}\n${directory}\nCOPY --from=two /t/two /\n${mount}`;
  const argument = (value: string) => `FROM @BASE@\nARG V=${value}\nENV KEPT=$V`;
  const later = (name: string) => (project: string) => utimes(join(project, name), 1_750_000_000, 1_750_000_000);
  it.each<[string, ComparedProject]>([
    ['the first', { containerfile: whole, files: { 'of-stage': '1\n' } }],
    ['for a directory of another time', { containerfile: directory, prepare: later('dir/sub') }],
    ['for files of another time', { containerfile: plain, prepare: later('a.txt') }],
    ['for another command in a heredoc', { containerfile: heredoc('2') }],
    ['an argument', { containerfile: argument('1') }],
    ['for another value of a build argument', { containerfile: argument('2') }],
    ['for another content of a stage that a RUN looks at', { containerfile: whole, files: { 'of-stage': '2\n' } }],
  ])('%s', async (_, project) => {
    expect((await podman.compare(project)).differences).toEqual([]);
  });
});

it('a base that moves after it was resolved is taken as it was resolved', async () => {
  const moving = `${podman.registry}/moving:1`;
  const move = ({ reference }: PinnedImage) => copy(`docker://${reference}`, `docker://${moving}`);
  await move(podman.base);
  const directory = await podman.project(
    `ARG B=${moving}\nFROM \${B} AS one\nCOPY a.txt /t/of-first\nFROM one\nENV A=b`,
  );
  try {
    const input = await podman.prepare(directory);
    const { repository, context } = input;
    const spec = { name: 'moving', image: { repository, tagPolicy: 'move' }, signing: { key: 'release' } };
    const made = makeRequest(FlightlineSpec.parse(spec), {
      context: { kind: 'artifact', digest: context.digest },
      commit: undefined,
      date: '20261129',
      source: null,
      spec: `sha256:${'0'.repeat(64)}`,
    });
    if (!made.ok) throw new Error(JSON.stringify(made.problems));
    const resolve = { release: input.release, runId: 'run', request: made.request };
    const { bases } = (await runActivity((await offeredOn('control', podman.host)).resolve, resolve)).result;
    const resolved = { reference: moving, digest: podman.base.digest };
    expect(bases).toEqual([resolved]);
    await move(podman.other);
    const { built, published } = await podman.release({ ...input, bases });
    expect(built.bases).toEqual([resolved]);
    expect(await podman.files(published, 't')).toEqual(new Map([['of-first', 'a\n']]));
    // Also of the step that podman kept of the same image by another name.
    const { stdout } = await execa('skopeo', ['inspect', '--raw', '--tls-verify=false', `docker://${published}`]);
    expect(JSON.parse(stdout)).toMatchObject({ annotations: { 'org.opencontainers.image.base.name': moving } });
    expect([...(await podman.files(published, '.')).keys()]).not.toContain('other-file');
  } finally {
    await rm(dirname(directory), { recursive: true });
  }
});

it('ignored-unreadable-directory: a directory that no rule takes back is never opened', async () => {
  const files = {
    '.containerignore': 'volume\n*.log\n!a/keep.log\n',
    'volume/db': 'x',
    'a/keep.log': 'k',
    'a/x.log': 'x',
  };
  const containerfile = 'FROM @BASE@\nCOPY . /t/';
  const directory = await podman.project({ containerfile, files });
  const volume = join(directory, 'volume');
  const opened = async () => (await stat(volume)).atimeMs > (await stat(volume)).mtimeMs;
  try {
    // The next look into it would be noted, whoever takes it.
    await utimes(volume, 1_500_000_000, 1_600_000_000);
    const { published } = await podman.release(await podman.prepare(directory));
    expect(await opened()).toBe(false);
    expect([...(await podman.files(published, 't/a')).keys()]).toEqual(['keep.log', 'x.log']);
    await readdir(volume);
    expect(await opened(), 'the file system notes times of access').toBe(true);
  } finally {
    await rm(dirname(directory), { recursive: true });
  }
  expect((await podman.compare({ containerfile, files })).differences).toEqual([]);
});

it("what a RUN prints of an image in the storage, in podman's words, makes it no base", async () => {
  const { reference, digest } = podman.other;
  const pull = ['pull', '--quiet', '--tls-verify=false', `${reference.replace(/:1$/, '')}@${digest}`];
  const { stdout: id } = await execa('podman', pull);
  const note = `Found image \\"${reference}\\" as \\"${reference}\\" in local containers storage ([x]@${id})`;
  const line = `time="2026-01-02T03:04:05Z" level=debug msg="${note}"`;
  const { differences, built } = await podman.compare(
    `FROM @BASE@\nRUN mkdir /t && echo '${line}' >&2\nCOPY a.txt /t/`,
  );
  expect(differences).toEqual([]);
  expect(built.bases).toEqual([podman.base]);
});

it('an image of another platform is refused by its name', async () => {
  const { failure } = await podman.refusal('FROM --platform=linux/arm64 @BASE@\nENV A=b\n');
  expect(failure).toMatchObject({ type: 'containerfile', nonRetryable: true });
  expect((failure as Error).message).toContain(`${podman.base.reference} was pulled for the platform of this release`);
});

describe("podman's refusal is told at once, in its own words", SIDE_BY_SIDE, () => {
  it.each(Object.entries(REFUSED))('%s', async (_, text) => {
    const { own, failure } = await podman.refusal(text);
    expect(own).not.toBe('');
    expect(failure).toMatchObject({ type: 'containerfile', nonRetryable: true });
    expect((failure as Error).message).toContain(own);
  });
});
