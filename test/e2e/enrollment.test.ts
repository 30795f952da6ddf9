/**
 * Secrets of a build: an enrollment certificate, a pull secret and build secrets are where they belong, and nowhere
 * else.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { ReleaseRecord } from '../../model/release/record.ts';
import { textsIn } from '../support/history.ts';
import { leftOvers } from '../support/host-state.ts';
import type { Project } from '../support/project.ts';
import { withClient } from '../support/stack.ts';
import {
  HELD,
  openEnrollmentSite,
  PASSWORD,
  PULL_SECRET,
  secretParts,
  TOKEN,
  type EnrollmentSite,
} from './enrollment-site.ts';
import { blobsWith, fileInImage } from './image-content.ts';

/** A step that makes a file of the context part of a stage that the image is not built on. */
const OTHER_STAGE = (base: string) => [`FROM ${base} AS other`, 'COPY . /other/', `FROM ${base}`];

let site: EnrollmentSite;
beforeAll(async () => {
  site = await openEnrollmentSite();
});
afterEach(() => site?.client.set('ok'));
afterAll(() => site?.close());

/** All that Temporal keeps of every workflow of the stack. */
async function histories(): Promise<string> {
  return withClient(site.stack, async ({ workflow }) => {
    const texts: string[] = [];
    for await (const { workflowId, runId } of workflow.list()) {
      const handle = workflow.getHandle(workflowId, runId);
      texts.push(...textsIn(await handle.fetchHistory()), ...textsIn((await handle.describe()).raw));
    }
    return texts.join('\n');
  });
}

describe('early binding', () => {
  let early: Project;
  let record: ReleaseRecord;
  let callsBefore = 0;
  const callsOfEarly = async () => (await site.client.calls()).slice(callsBefore);

  it('holds a release whose login has expired, and goes on once it is renewed', async () => {
    early = await site.project('early', {
      containerfile: [
        ...OTHER_STAGE(site.base),
        'RUN mkdir -p /usr/share/early',
        'COPY --from=other /other/note /usr/share/early/',
        'ADD config.yaml /etc/flightctl/',
        '',
      ].join('\n'),
      // The file is made on the build host: what keeps a developer's own out of the context must not keep it out of the
      // image.
      files: { note: 'a note\n', '.containerignore': 'config.yaml\n', 'config.yaml': "a developer's own\n" },
      disks: [{ type: 'qcow2' }],
      spec: { enrollment: { binding: 'early', expiration: '30d', signer: 'enrollment' } },
    });
    callsBefore = (await site.client.calls()).length;
    await site.client.set('expired');
    const held = await site.outcome(HELD, 'run', early.spec);
    expect(held.failure).toMatchObject({ kind: 'enrollment-login', stage: 'build' });
    expect(held.failure!.remedy.action).toContain('flightctl login');
    await site.client.set('ok');
    record = await site.retried(early);
    expect(record.status).toBe('released');
    const calls = await callsOfEarly();
    expect(calls).toHaveLength(1);
    expect(calls[0]).toContain('--expiration=30d');
  });

  it('puts the configuration into the image, for root alone, and says until when it serves', async () => {
    const { certificateEnds, certificateRequest, digest } = record.image;
    expect(certificateRequest).toMatch(/^flightline-early-v1-[0-9a-f]{8}$/);
    expect(Math.round((Date.parse(certificateEnds!) - Date.now()) / 86_400_000)).toBe(30);
    // The stack's registry asks nobody who they are.
    const open = [early.repository, `${early.repository}/diskimage-qcow2`];
    expect(record.warnings).toEqual(
      open.map(
        (repository) => expect.stringContaining(`the enrollment key in the image from ${repository}: `) as string,
      ),
    );
    const shown = await site.flightline('status', early.release);
    expect(shown.stdout).toContain(`enrollment certificate in the image: until ${certificateEnds!.slice(0, 10)}`);
    expect(shown.stdout).toContain('warning: anybody can pull');
    const file = await fileInImage(`${early.repository}@${digest}`, 'etc/flightctl/config.yaml');
    expect(file).toMatchObject({ mode: '-rw-------', owner: '0/0' });
    expect(secretParts(file!.text)[1]).toMatch(/^[A-Za-z0-9+/=]{40,}$/);
  });

  it('leaves it nowhere else: no history, log, work directory, layer, or other blob of the registry', async () => {
    const image = `${early.repository}@${record.image.digest}`;
    const { text, layer } = (await fileInImage(image, 'etc/flightctl/config.yaml'))!;
    const secrets = secretParts(text);
    const blobs = await blobsWith(join(site.stack.directory, 'registry'), secrets, site.started);
    // The disk is the image.
    const disk = `sha256:${record.disks[0]!.file!.sha256}`;
    expect(blobs.filter((blob) => blob !== disk)).toEqual([layer]);
    expect((await site.placesOf(secrets)).filter((file) => !file.includes(disk.slice('sha256:'.length)))).toEqual([]);
    const kept = await histories();
    for (const secret of secrets) expect(kept.includes(secret)).toBe(false);
    expect(await leftOvers(site.stack)).toEqual([]);
  });

  it('is unchanged while the certificate lasts', async () => {
    const again = await site.outcome(0, 'run', early.spec);
    expect(again).toMatchObject({ status: 'unchanged', image: record.image });
    expect(await callsOfEarly()).toHaveLength(1);
  });

  it('does not ask twice, and keeps no layer of a build that failed', async () => {
    const before = (await site.client.calls()).length;
    const lines = (last: string) => [...OTHER_STAGE(site.base), 'ADD config.yaml /etc/flightctl/', last, ''].join('\n');
    const failing = await site.project('early-failing', {
      containerfile: lines('RUN false'),
      spec: { enrollment: { binding: 'early' } },
    });
    expect((await site.outcome(HELD, 'run', failing.spec)).failure!.kind).toBe('containerfile');
    const own = join(site.stack.work, 'releases');
    const [release] = await readdir(own);
    const state = join(own, release!, 'enrollment.json');
    const secrets = secretParts((JSON.parse(await readFile(state, 'utf8')) as { text: string }).text);
    // In the file it lies as JSON: what was embedded is the same text there.
    expect(new Set(await site.placesOf(secrets))).toEqual(new Set([state]));

    await failing.write('Containerfile', lines('RUN true'));
    const released = await site.retried(failing, '--spec', failing.spec);
    expect(released.status).toBe('released');
    expect((await site.client.calls()).length - before).toBe(1);
    const file = await fileInImage(`${failing.repository}@${released.image.digest}`, 'etc/flightctl/config.yaml');
    expect(secretParts(file!.text)).toEqual(secrets);
    expect(await site.placesOf(secrets)).toEqual([]);
  });

  it('is held when the image lacks the configuration', async () => {
    const lacking = await site.project('early-lacking', { spec: { enrollment: { binding: 'early' } } });
    const held = await site.outcome(HELD, 'run', lacking.spec);
    expect(held.failure).toMatchObject({ kind: 'enrollment-binding' });
    expect(held.failure!.remedy.action).toContain('ADD config.yaml /etc/flightctl/');
    expect((await site.flightline('cancel', lacking.release)).exitCode).toBe(0);
  });
});

it('late binding refuses an image that holds a configuration', async () => {
  const late = await site.project('late', {
    lines: ['RUN install -D /dev/null /etc/flightctl/config.yaml'],
    spec: { enrollment: { binding: 'late' } },
  });
  const held = await site.outcome(HELD, 'run', late.spec);
  expect(held.failure).toMatchObject({ kind: 'enrollment-binding', stage: 'build' });
  expect((await site.flightline('cancel', late.release)).exitCode).toBe(0);
});

describe('secrets', () => {
  it('are there while a step runs, and a pull secret in the last layer: nowhere else', async () => {
    const one = await site.project('secrets', {
      // Podman's cache would give out what an earlier run of this test has made.
      lines: [
        `RUN --mount=type=secret,id=t : ${site.started}; sha256sum < /run/secrets/t > /usr/share/sum && cat ` +
          '/run/secrets/t && echo .',
      ],
      image: { pullSecret: 'pull' },
      spec: { secrets: [{ id: 't', from: 'token' }] },
    });
    const record = await site.outcome(0, 'run', one.spec);
    const image = `${one.repository}@${record.image.digest}`;
    const sum = await fileInImage(image, 'usr/share/sum');
    expect(sum!.text).toContain(createHash('sha256').update(TOKEN).digest('hex'));
    const file = await fileInImage(image, 'etc/ostree/auth.json');
    expect(file).toMatchObject({ mode: '-rw-------', owner: '0/0', text: PULL_SECRET });

    const auth = Buffer.from(`device:${PASSWORD}`).toString('base64');
    expect(await blobsWith(join(site.stack.directory, 'registry'), [TOKEN, PASSWORD, auth], site.started)).toEqual([
      file!.layer,
    ]);
    expect(await site.placesOf([TOKEN, PASSWORD, auth])).toEqual([]);
    const kept = await histories();
    for (const secret of [TOKEN, PASSWORD, auth]) expect(kept.includes(secret)).toBe(false);
    // What the step printed is in its log, but for the secret.
    const log = record.stages.find(({ name }) => name === 'build')!.log!;
    expect(await readFile(log.path, 'utf8')).toContain('[secret].');
  });

  it('that the host lacks hold the release before anything is built', async () => {
    const one = await site.project('unknown-secret', { spec: { secrets: [{ id: 't', from: 'nowhere' }] } });
    const held = await site.outcome(HELD, 'run', one.spec);
    expect(held.failure).toMatchObject({ kind: 'secret-missing', stage: 'build', log: null });
    expect(held.failure!.message).toContain('"nowhere"');
    expect((await site.flightline('cancel', one.release)).exitCode).toBe(0);
  });

  it('that are for others fail it', async () => {
    const one = await site.project('foreign-secret', { spec: { secrets: [{ id: 't', from: 'foreign' }] } });
    const failed = await site.outcome(1, 'run', one.spec);
    expect(failed.failure).toMatchObject({ kind: 'secret-not-allowed', stage: 'build', log: null });
  });
});
