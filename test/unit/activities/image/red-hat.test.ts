import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  entitlementVolumes,
  readRegistration,
  registrationProblem,
  requireRedHatLogin,
  type Registration,
} from '../../../../activities/image/red-hat.ts';
import { withRegistryAccess } from '../../../../activities/tools/registry/access.ts';
import { needsEntitlement } from '../../../../model/oci/red-hat.ts';
import { redHatResult } from '../../../../workers/doctor/results.ts';

const run = promisify(execFile);
const now = new Date('2026-11-23T00:00:00Z');
const valid = { file: '/e/1.pem', ends: new Date('2027-01-01T00:00:00Z') };
const ended = { file: '/e/0.pem', ends: new Date('2026-01-01T00:00:00Z') };

it.each([
  [['registry.redhat.io/rhel9/rhel-bootc:9.5'], true],
  [['quay.io/centos-bootc/centos-bootc:stream9', 'registry.redhat.io/ubi9:1'], true],
  [['quay.io/centos-bootc/centos-bootc:stream9'], false],
  [['registry.access.redhat.com/ubi9/ubi:1'], false],
  [['registry.redhat.io.example.com/a:1'], false],
  [[], false],
])('%j takes a registered host: %s', (references, answer) => {
  expect(needsEntitlement(references.map((reference) => ({ reference })))).toBe(answer);
});

describe('a registration', () => {
  it.each<[string, Registration, RegExp | null]>([
    ['in order', { identity: 'registered', entitlements: [ended, valid] }, null],
    ['brought from another host', { identity: 'unknown', entitlements: [valid] }, null],
    ['none', { identity: 'unregistered', entitlements: [] }, /not registered/],
    ['withdrawn', { identity: 'unregistered', entitlements: [valid] }, /not registered/],
    ['without entitlements', { identity: 'registered', entitlements: [] }, /has no entitlement certificate/],
    ['ended', { identity: 'registered', entitlements: [ended] }, /0\.pem, ended on 2026-01-01/],
    ['another distribution', { identity: 'unknown', entitlements: [] }, /subscription-manager is not installed, and/],
  ])('%s', (_, registration, problem) => {
    const found = registrationProblem(registration, now);
    if (problem === null) expect(found).toBeNull();
    else expect(found).toMatch(problem);
  });

  it.each<[boolean, Registration, string, RegExp]>([
    [false, { identity: 'unknown', entitlements: [] }, 'ok', /not prepared/],
    [true, { identity: 'registered', entitlements: [valid] }, 'ok', /until 2027-01-01/],
    [false, { identity: 'registered', entitlements: [valid] }, 'warning', /no login to registry\.redhat\.io$/],
    [
      true,
      { identity: 'unregistered', entitlements: [] },
      'warning',
      /cannot build on RHEL bases: the host is not registered/,
    ],
    [false, { identity: 'registered', entitlements: [ended] }, 'warning', /no login.*; .*ended on/],
  ])('login %s, %j: doctor says %s', (login, registration, status, detail) => {
    expect(redHatResult(login, registration, now)).toMatchObject({
      status,
      detail: expect.stringMatching(detail) as string,
    });
  });
});

describe('this host', () => {
  let scratch: string;
  const path = process.env['PATH'];
  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'flightline-red-hat-'));
    await mkdir(join(scratch, 'bin'));
    await mkdir(join(scratch, 'entitlement'));
  });
  afterAll(async () => {
    process.env['PATH'] = path;
    await rm(scratch, { recursive: true, force: true });
  });
  const registered = (exitCode: number) =>
    writeFile(
      join(scratch, 'bin/subscription-manager'),
      `#!/bin/sh\n[ "$1" = identity ] || exit 9\nexit ${exitCode}\n`,
      {
        mode: 0o755,
      },
    );

  it('is asked for its identity and its certificates', async () => {
    const directory = join(scratch, 'entitlement');
    expect(await readRegistration(join(scratch, 'none'))).toEqual({ identity: 'unknown', entitlements: [] });
    process.env['PATH'] = `${join(scratch, 'bin')}:${path}`;
    await registered(1);
    expect((await readRegistration(directory)).identity).toBe('unregistered');
    await registered(0);
    const [key, certificate] = [join(directory, '7-key.pem'), join(directory, '7.pem')];
    const subject = ['-subj', '/CN=x', '-days', '10', '-nodes'];
    await run('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-keyout', key, '-out', certificate, ...subject]);
    await writeFile(join(directory, '8.pem'), 'no certificate');
    const { identity, entitlements } = await readRegistration(directory);
    expect(identity).toBe('registered');
    expect(entitlements.map(({ file }) => file)).toEqual([certificate]);
    expect(Math.round((entitlements[0]!.ends.getTime() - Date.now()) / 86_400_000)).toBe(10);
  });

  it('must be logged in where the image is from', async () => {
    const image = 'registry.redhat.io/rhel9/rhel-bootc:9.5';
    const authfile = join(scratch, 'auth.json');
    const registries = [{ location: 'registry.redhat.io', authfile, insecure: false }];
    const ask = (images: string[], mirrors?: string[]) =>
      withRegistryAccess(
        { registries: registries.map((one) => ({ ...one, mirrors })) },
        ['registry.redhat.io/rhel9/rhel-bootc'],
        (access) => requireRedHatLogin(access, images, 'host-a'),
      );
    await writeFile(authfile, '{"auths":{}}');
    await ask(['quay.io/a/b:1']);
    await ask([image], ['mirror.example/red-hat']);
    await expect(ask([image])).rejects.toMatchObject({
      failure: {
        kind: 'registry-login',
        message: expect.stringContaining('host-a has no login') as string,
        remedy: { action: expect.stringContaining('skopeo login --authfile') as string },
      },
    });
    await writeFile(authfile, '{"auths":{"registry.redhat.io":{"auth":"bWU6cGFzcy13b3Jk"}}}');
    await ask([image]);
  });
});

it.each([
  ['where podman gives nothing', '', false, ['entitlement']],
  ['with the authorities that a foreign host has', '# nothing\n/a:/b\n', true, ['entitlement', 'authorities']],
  ['where podman gives them itself', '/usr/share/rhel/secrets:/run/secrets\n', true, []],
])('entitlements reach builds %s', async (_, mounts, hasAuthorities, volumes) => {
  const directory = await mkdtemp(join(tmpdir(), 'flightline-volumes-'));
  const authorities = join(directory, 'ca');
  const paths: Record<string, string> = { entitlement: '/etc/pki/entitlement', authorities };
  try {
    if (hasAuthorities) await mkdir(authorities);
    await writeFile(join(directory, 'mounts.conf'), mounts);
    const files = [join(directory, 'none.conf'), join(directory, 'mounts.conf')];
    expect(await entitlementVolumes(files, authorities)).toEqual(
      volumes.map((name) => `${paths[name]}:${paths[name]}:ro`),
    );
  } finally {
    await rm(directory, { recursive: true });
  }
});
