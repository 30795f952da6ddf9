import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { secretFileLayer } from '../../../../../activities/context/own-layers.ts';
import { mayHoldSecret } from '../../../../../activities/image/secrets/step-image.ts';
import { openSecret } from '../../../../../activities/trust/secrets.ts';
import { holdsLogIns, secretValues } from '../../../../../activities/trust/secret-values.ts';
import { fileInside } from '../../../../../activities/tools/podman/file-inside.ts';
import { redact } from '../../../../../activities/tools/process/redact.ts';
import type { FlightlineError } from '../../../../../model/failure/failure.ts';
import { WorkerConfiguration } from '../../../../../model/spec/worker-configuration.ts';

let scratch: string;
beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'flightline-secrets-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));

describe('a named secret', () => {
  const configuration = (file: string) =>
    WorkerConfiguration.parse({ secrets: { token: { file, repositories: ['r.example/acme'] } } });
  const kindOf = (work: Promise<unknown>) =>
    work.then(
      () => 'allowed',
      (error: FlightlineError) => error.failure.kind,
    );

  it.each([
    ['token', ['r.example/acme/edge'], 'allowed'],
    ['token', ['r.example/acme/edge', 'r.example/acme/disks'], 'allowed'],
    ['token', ['r.example/acme/edge', 'r.example/other'], 'secret-not-allowed'],
    ['token', ['r.example/acme-labs'], 'secret-not-allowed'],
    ['other', ['r.example/acme/edge'], 'secret-missing'],
    ['constructor', ['r.example/acme/edge'], 'secret-missing'],
  ])('%s for %j: %s', async (name, repositories, kind) => {
    const file = join(scratch, 'allowed');
    await writeFile(file, 'tok-0a7d3e5519\n');
    expect(await kindOf(openSecret(configuration(file), name, repositories))).toBe(kind);
  });

  it('is read, and blotted out from then on', async () => {
    const file = join(scratch, 'token');
    await writeFile(file, 'tok-5f1e0c77d2\n');
    expect(await openSecret(configuration(file), 'token', ['r.example/acme'])).toMatchObject({ file });
    expect(redact('token=tok-5f1e0c77d2!')).toBe('token=[secret]!');
    await expect(openSecret(configuration(`${file}-gone`), 'token', [])).rejects.toMatchObject({
      failure: { kind: 'secret-missing' },
    });
  });

  it.each([
    ['a token alone', 'tok-5f1e0c77d2\n', ['tok-5f1e0c77d2']],
    ['a short token alone', ' ab1\n', ['ab1']],
    ['lines, but short ones', 'first-line\nyes\n\nanother-line\n', ['first-line', 'another-line']],
    [
      'JSON: texts, not names',
      '{"auths":"long-enough","x":{"y":["0123456789"]},"z":"no"}',
      ['long-enough', '0123456789'],
    ],
    [
      'logins, with the password as it is typed',
      JSON.stringify({ auths: { 'r.example': { auth: Buffer.from('me:pass-word-1').toString('base64') } } }),
      [Buffer.from('me:pass-word-1').toString('base64'), 'pass-word-1'],
    ],
  ])('%s', (_, text, values) => {
    expect(secretValues(text)).toEqual(values);
  });

  it.each([
    ['{"auths":{"r.example":{"auth":"bWU6cHc="}}}', true],
    ['{"auths":{}}', true],
    ['{}', false],
    ['logins', false],
  ])('%s holds logins: %s', (text, answer) => expect(holdsLogIns(text)).toBe(answer));
});

it('a secret becomes a file by a RUN that starts no shell and leaves nothing in /run/secrets', () => {
  expect(secretFileLayer('flightline-pull-secret-1', '/etc/ostree/auth.json')).toBe(
    'RUN --mount=type=secret,id=flightline-pull-secret-1,target=/run/flightline-pull-secret-1,required=true ' +
      '["install","-D","-m","0600","/run/flightline-pull-secret-1","/etc/ostree/auth.json"]',
  );
});

describe('images between steps', () => {
  const base = ['/bin/sh -c #(nop) COPY dir:1 in / ', '/bin/sh -c #(nop) LABEL containers.bootc=1'];
  const add = '/bin/sh -c #(nop) ADD file:2 in /etc/flightctl/ ';
  const run = '/bin/sh -c dnf -y install flightctl-agent';
  it.each<[string, string, string[], boolean]>([
    [
      'the step of a pull secret',
      'i/k/all/flightline-pull-secret-1',
      [...base, add, `${run} /run/flightline-pull-secret-1`],
      true,
    ],
    ['before the step of a pull secret', 'i/k/all/flightline-pull-secret-1', [...base, add, run], false],
    ['both kinds, after the base', 'i/k/2/flightline-pull-secret-1', [...base, add], true],
    ['both kinds, only RUN', 'i/k/2/flightline-pull-secret-1', [...base, run], false],
    ['only RUN and metadata on its base', 'i/k/2/', [...base, run, '/bin/sh -c #(nop) ENV A=b'], false],
    ['a file of the context', 'i/k/2', [...base, run, add], true],
    ['RUN after a file of the context', 'i/k/2', [...base, add, run], true],
    ['a copy from anywhere', 'i/k/2', [...base, '/bin/sh -c #(nop) COPY dir:9 in /'], true],
    ['RUN that mounts something', 'i/k/2', [...base, '/bin/sh -c --mount=source=config.yaml,target=/c x'], true],
    ['RUN with a build secret', 'i/k/secrets', [...base, '/bin/sh -c --mount=type=secret,id=a x'], true],
    ['other steps beside it', 'i/k/secrets', [...base, add, run], false],
    ['a step that does not say what it was', 'i/k/2', [...base, ''], true],
    ['no base: its copies are steps', 'i/k/0', base, true],
    ['a label that is not understood', 'i/k', [...base, run], true],
  ])('%s', (_, label, history, answer) => {
    expect(mayHoldSecret({ label, history })).toBe(answer);
  });
});

describe('a file in an image', () => {
  let root: string;
  beforeAll(async () => {
    root = join(scratch, 'root');
    await mkdir(join(root, 'usr/etc/flightctl'), { recursive: true });
    await writeFile(join(root, 'usr/etc/flightctl/config.yaml'), 'x', { mode: 0o600 });
    await symlink('usr/etc', join(root, 'etc'));
    await symlink('/usr/etc/flightctl', join(root, 'absolute'));
    await symlink('../../../../../../usr/etc/flightctl', join(root, 'climbing'));
    await symlink('loop', join(root, 'loop'));
    await symlink('/nowhere', join(root, 'dangling'));
  });

  it.each([
    ['/usr/etc/flightctl/config.yaml', { kind: 'file', mode: 0o600 }],
    ['/etc/flightctl/config.yaml', { kind: 'file', mode: 0o600 }],
    ['/absolute/config.yaml', { kind: 'file', mode: 0o600 }],
    ['/climbing/config.yaml', { kind: 'file', mode: 0o600 }],
    ['/usr/etc', { kind: 'directory', mode: 0o755 }],
    ['/etc/passwd', null],
    ['/../../../../etc/passwd', null],
    ['/loop', null],
    ['/dangling', null],
  ])('%s', async (path, file) => {
    expect(await fileInside(root, path)).toEqual(file);
  });
});
