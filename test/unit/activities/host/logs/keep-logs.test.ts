/** Logs in the registry: what is packed, and which logs are followed. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { packLogs } from '../../../../../activities/host/logs/packed-logs.ts';
import { registerSecret } from '../../../../../activities/tools/process/redact.ts';
import { isOver, logTargets } from '../../../../../model/release/log-targets.ts';
import { releaseKey } from '../../../../../model/release/inputs.ts';
import { LOGS_ARTIFACT_TYPE, logTitle } from '../../../../../model/stage/logs.ts';
import { logName } from '../../../../../model/stage/stage.ts';
import { parseManifest } from '../../../../../model/oci/manifest.ts';
import { temporaryHost } from '../../../../support/host.ts';
import { record, row } from '../../../client/view/record.ts';

test.each([
  ['build', 'image', 'build'],
  ['push', 'image', 'push'],
  ['disk-build', 'vmdk+qcow2', 'disk-build-qcow2+vmdk'],
  ['boot-test', 'qcow2', 'boot-test-qcow2'],
  ['publish', 'iso', 'publish-iso'],
] as const)('the log of %s %s', (stage, subject, name) => expect(logName(stage, subject)).toBe(name));

test('a log’s title is its file', () => expect(logTitle('/var/lib/flightline/logs/0123/push.log')).toBe('push.log.gz'));

describe('packing', () => {
  let host: Awaited<ReturnType<typeof temporaryHost>>;
  const release = 'release/quay.io/acme/edge:v1';
  let directory: string;
  beforeEach(async () => {
    host = await temporaryHost();
    directory = host.work.releaseLogs(release);
    await mkdir(directory, { recursive: true });
  });
  afterEach(() => host.remove());
  const pathsOf = (...names: string[]) => names.map((name) => join(directory, name));

  test('redacts, names each log, leaves out what is not there, and gives the same bytes again', async () => {
    registerSecret('hunter3-hunter3');
    await writeFile(join(directory, 'build.log'), 'a line\npassword hunter3-hunter3\nlast, without an end');
    await writeFile(join(directory, 'push.log'), 'pushed\n');
    const given = { release, paths: pathsOf('push.log', 'build.log', 'gone.log') };
    const packed = (await packLogs(host, given))!;
    expect((await packLogs(host, given))!.layout.root.digest).toBe(packed.layout.root.digest);
    const manifest = parseManifest(packed.layout.documents.at(-1)!.bytes)!;
    expect(manifest.artifactType).toBe(LOGS_ARTIFACT_TYPE);
    expect(manifest.annotations).toEqual({ 'io.flightline.release': release });
    expect(manifest.layers!.map(({ annotations }) => annotations?.['org.opencontainers.image.title'])).toEqual([
      'build.log.gz',
      'push.log.gz',
    ]);
    const texts = packed.blobs.map((blob) => gunzipSync((blob as { bytes: Uint8Array }).bytes).toString());
    expect(texts).toEqual(['a line\npassword [secret]\nlast, without an end', 'pushed\n']);
  });

  test.each([
    ['', ''],
    ['one\ntwo\nthree\nfour\nfive', 'one\ntwo\nthree\nfour\nfive'],
    [
      'one\ntwo\nthree\nfour\nfive\nsix\n',
      'one\ntwo\nthree\n… 4 bytes or more are left out here: the log is too long …\nsix\n',
    ],
  ])('keeps of %j, with 24 bytes at most, whole lines of both ends: %j', async (text, kept) => {
    await writeFile(join(directory, 'build.log'), text);
    const { blobs } = (await packLogs(host, { release, paths: pathsOf('build.log') }, 24))!;
    expect(gunzipSync((blobs[0] as { bytes: Uint8Array }).bytes).toString()).toBe(kept);
  });

  test('cuts a long log at both its ends', async () => {
    // Every line is searched for all that the tests of this process have made a secret: a log of megabytes takes long.
    const line = `${'x'.repeat(1023)}\n`;
    const longest = 64 * 1024;
    await writeFile(join(directory, 'build.log'), `first\n${line.repeat(80)}last\n`);
    const { blobs } = (await packLogs(host, { release, paths: pathsOf('build.log') }, longest))!;
    const text = gunzipSync((blobs[0] as { bytes: Uint8Array }).bytes).toString();
    expect(text.length).toBeLessThan(longest + 100);
    expect(text.startsWith('first\n') && text.endsWith('last\n')).toBe(true);
    expect(text).toContain('are left out here');
  });

  test('is nothing without logs, and refuses what is no log', async () => {
    expect(await packLogs(host, { release, paths: pathsOf('gone.log') })).toBeUndefined();
    await expect(packLogs(host, { release, paths: [join(host.work.path, 'installation')] })).rejects.toThrow(
      'not below the log directory',
    );
  });
});

describe('following', () => {
  const log = { host: 'host-a', path: '/var/lib/flightline/logs/1/build.log' };
  const stages = [
    row('resolve', 'release', { status: 'done' }),
    row('build', 'image', { status: 'done', host: 'host-a', log }),
    row('push', 'image', { status: 'running', host: 'host-a' }),
    row('disk-build', 'qcow2', { status: 'waiting', host: null }),
  ];
  const given = record({ stages });

  test('looks at the logs of stages that have begun, also before their place is known', () => {
    expect(logTargets(given, {})).toEqual([
      { key: 'host-a/build.log', label: 'build image (host-a)', host: 'host-a', path: log.path, isRunning: false },
      {
        key: 'host-a/push.log',
        label: 'push image (host-a)',
        host: 'host-a',
        path: `${releaseKey(given.release)}/push.log`,
        isRunning: true,
      },
    ]);
    expect(logTargets(given, { stage: 'push' }).map(({ key }) => key)).toEqual(['host-a/push.log']);
    expect(logTargets(given, { subject: 'qcow2' })).toEqual([]);
  });

  test('does not take the log of a lost host for that of the next', () => {
    const again = row('build', 'image', { status: 'running', host: 'host-b', log });
    expect(logTargets(record({ stages: [again] }), {})[0]!.path).toBe(`${releaseKey(given.release)}/build.log`);
  });

  test.each([
    ['running', {}, false],
    ['running', { stage: 'build' }, true],
    ['running', { stage: 'push' }, false],
    ['running', { stage: 'disk-build' }, false],
    ['running', { subject: 'image' }, false],
    ['held', { stage: 'push' }, true],
    ['released', {}, true],
    ['failed', { stage: 'disk-build' }, true],
  ] as const)('a %s release, of which %j is meant, is over: %s', (status, filter, over) =>
    expect(isOver({ ...given, status }, filter)).toBe(over),
  );
});
