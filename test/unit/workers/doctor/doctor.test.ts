import { execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it, test } from 'vitest';
import { WorkerConfiguration } from '../../../../model/spec/worker-configuration.ts';
import {
  failed,
  ok,
  warning,
  type Check,
  type CheckResult,
  type DoctorContext,
  type Fix,
} from '../../../../workers/doctor/check.ts';
import { storageResult, spaceResult, versionResult, containersConfResult } from '../../../../workers/doctor/results.ts';
import { doctor } from '../../../../workers/doctor/doctor.ts';
import { examine } from '../../../../workers/doctor/examine.ts';
import { machineArchitecture } from '../../../../workers/configuration.ts';
import { checksFor } from '../../../../workers/doctor/all-checks.ts';
import { ROLES } from '../../../../model/contract/queue.ts';
import { worst } from '../../../../workers/doctor/checks/registries.ts';
import { registriesDirectoryResult, signatureSettings } from '../../../../workers/doctor/checks/signature-settings.ts';
import { tinyProgram } from '../../../../activities/tools/podman/container/tiny-program.ts';
import { syftChecks } from '../../../../workers/doctor/checks/syft.ts';
import { checkDocument } from '../../../support/documents.ts';
import { logInFlightctl, STAND_IN_FLIGHTCTL } from '../../../support/stand-in-flightctl.ts';

describe('versions', () => {
  test.each([
    ['podman', 'podman version 5.4.2\n', ok('podman 5.4.2')],
    ['podman', '5.0', ok('podman 5.0')],
    ['podman', '10.1', ok('podman 10.1')],
    ['skopeo', 'skopeo version 1.18.0 commit: abc', ok('skopeo 1.18.0')],
    ['skopeo', '1.14.0-dev', ok('skopeo 1.14.0')],
    ['container-selinux', '2.241.0', ok('container-selinux 2.241.0')],
    ['podman', 'podman version 4.9.4', { status: 'failed' }],
    ['skopeo', '1.9.3', { status: 'failed' }],
    ['container-selinux', '2.24', { status: 'failed' }],
    ['skopeo', 'strange', { status: 'warning' }],
  ] as const)('of %s in %j', (program, text, expected) => {
    expect(versionResult(program, text)).toMatchObject(expected);
  });
});

describe('Syft', () => {
  const look = async (program: string) =>
    syftChecks[0]!.run({
      roles: ['build'],
      configuration: WorkerConfiguration.parse({ tools: { syft: program } }),
      environment: {},
    });
  it('is missed where the worker configuration names it, and nowhere else', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'flightline-doctor-syft-'));
    const program = join(directory, 'syft');
    const PATH = process.env['PATH'];
    try {
      expect(await look(program)).toMatchObject({ status: 'failed', detail: expect.stringContaining(program) });
      process.env['PATH'] = directory;
      expect(await look('syft')).toMatchObject({ status: 'ok', detail: expect.stringContaining('image.sbom') });
      await writeFile(program, '#!/bin/sh\necho syft 9.9\n', { mode: 0o755 });
      expect(await look('syft')).toEqual(ok('syft 9.9'));
      await writeFile(program, '#!/bin/sh\nexit 3\n');
      expect(await look(program)).toMatchObject({ status: 'failed', remedy: expect.stringContaining('--version') });
    } finally {
      process.env['PATH'] = PATH;
      await rm(directory, { recursive: true, force: true });
    }
  });
});

describe('what is seen', () => {
  const info = (graphDriverName: string, graphRoot: string) =>
    JSON.stringify({ store: { graphDriverName, graphRoot } });
  test.each([
    ['overlay', '/var/lib/containers/storage', 'ok'],
    ['vfs', '/var/lib/containers/storage', 'warning'],
    ['overlay', '/elsewhere', 'failed'],
  ])('storage %s in %s', (driver, root, status) => {
    expect(storageResult(info(driver, root)).status).toBe(status);
  });

  test.each([
    [5, 'failed'],
    [20, 'warning'],
    [80, 'ok'],
  ])('%i GiB free', (gib, status) => {
    expect(spaceResult('work', '/w', gib * 1024 ** 3).status).toBe(status);
  });

  const plan = { settings: { engine: { runtime: 'runc' } }, reasons: ['hybrid'], problems: [] };
  it('containers.conf is fixed by a file of our own, unless CONTAINERS_CONF replaces it', () => {
    const found = containersConfResult({ cgroups: 'hybrid' }, plan, undefined);
    expect(found.status).toBe('failed');
    expect(found.fix).toMatchObject({ file: '/etc/containers/containers.conf.d/50-flightline.conf' });
    expect(found.fix?.content).toContain('runtime = "runc"');
    const masked = containersConfResult({ cgroups: 'hybrid' }, plan, '/private.conf');
    expect(masked.fix).toBeUndefined();
    expect(masked.remedy).toContain('/private.conf');
    expect(containersConfResult({ cgroups: 'v2' }, { settings: {}, reasons: [], problems: [] }, undefined).status).toBe(
      'ok',
    );
    expect(
      containersConfResult({ cgroups: 'hybrid' }, { settings: {}, reasons: [], problems: ['no runc'] }, undefined)
        .status,
    ).toBe('failed');
  });
});

describe('registries.d', () => {
  const on = '    use-sigstore-attachments: true\n';
  test.each<[string, string[], readonly string[], string | undefined, CheckResult['status'], boolean]>([
    ['nothing asked for', [], [], undefined, 'ok', false],
    ['no entry', [], ['quay.io/acme'], undefined, 'warning', true],
    [
      'on by default',
      ['default-docker:\n  use-sigstore-attachments: true\n'],
      ['quay.io/acme'],
      undefined,
      'ok',
      false,
    ],
    ['on for the registry', [`docker:\n  quay.io:\n${on}`], ['quay.io/acme'], undefined, 'ok', false],
    ['on for another', [`docker:\n  ghcr.io:\n${on}`], ['quay.io/acme'], undefined, 'warning', true],
    [
      'off for the repository by somebody',
      ['docker:\n  quay.io/acme:\n    use-sigstore-attachments: false\n'],
      ['quay.io/acme'],
      undefined,
      'warning',
      false,
    ],
    [
      'masked',
      ['default-docker:\n  use-sigstore-attachments: true\n'],
      ['quay.io/acme'],
      '/root/.config/containers/registries.d',
      'warning',
      false,
    ],
    ['unreadable files', ['a: [', 'docker: 7\n'], [], undefined, 'ok', false],
  ])('%s', (_case, texts, scopes, masking, status, fixable) => {
    const found = registriesDirectoryResult({
      masking,
      settings: signatureSettings(texts),
      scopes,
      dropInExists: false,
    });
    expect(found.status).toBe(status);
    expect(found.fix !== undefined).toBe(fixable);
    if (masking) expect(found.detail).toContain('replaces /etc/containers/registries.d');
  });

  it('of several logins the worst counts', () => {
    expect(worst([ok('a'), ok('b')])).toEqual(ok('a; b'));
    expect(worst([ok('a'), warning('b', 'fix b')]).status).toBe('warning');
    expect(worst([failed('a', 'fix'), warning('b', 'fix')])).toMatchObject({
      status: 'failed',
      detail: 'a; b',
      remedy: 'fix',
    });
  });
});

describe('checks', () => {
  const context: DoctorContext = { roles: ['build'], configuration: WorkerConfiguration.parse({}), environment: {} };
  const fix: Fix = { file: '/etc/x.d/50-flightline.conf', content: 'x' };

  it('are those of the roles', () => {
    expect(checksFor(['sign']).map((check) => check.name)).not.toContain('privileged container');
    expect(checksFor(['sign']).map((check) => check.name)).not.toContain('secrets');
    expect(checksFor(['control']).map((check) => check.name)).toEqual([
      'skopeo',
      'git',
      'gates',
      'webhooks',
      'public keys',
      'Temporal',
      'releases under way',
    ]);
    const checks = checksFor(ROLES);
    expect(new Set(checks.map((check) => check.name)).size).toBe(checks.length);
  });

  function repairable(): { check: Check; written: Fix[]; write: (given: Fix) => Promise<void> } {
    const written: Fix[] = [];
    return {
      check: {
        name: 'x',
        roles: ['build'],
        run: async () => (written.length > 0 ? ok('fixed') : failed('broken', 'fix', fix)),
      },
      written,
      write: async (given) => void written.push(given),
    };
  }

  it('fix only when asked', async () => {
    const { check, written, write } = repairable();
    expect(await examine(check, context, false, write)).toMatchObject({ status: 'failed', fixed: false, fix });
    expect(written).toEqual([]);
    expect(await examine(check, context, true, write)).toMatchObject({ status: 'ok', fixed: true, detail: 'fixed' });
    expect(written).toEqual([fix]);
  });

  it('tell when they may not fix', async () => {
    const { check } = repairable();
    const finding = await examine(check, context, true, () => Promise.reject(new Error('EACCES')));
    expect(finding).toMatchObject({ status: 'failed', detail: 'EACCES', fixed: false });
  });

  it('that fall over are failed findings', async () => {
    const check: Check = { name: 'x', roles: ['build'], run: () => Promise.reject(new Error('no /proc')) };
    expect(await examine(check, context, false)).toMatchObject({ status: 'failed', detail: 'no /proc' });
  });

  it('tell what is wrong in the worker configuration', async () => {
    const findings = await doctor({ roles: [], configurationFile: '/nowhere/worker.yaml' });
    expect(findings).toMatchObject([{ name: 'worker configuration', status: 'failed' }]);
    await checkDocument(['doctor'], JSON.stringify({ ok: false, findings }));
  });
});

it('the tiny program runs and ends well', async () => {
  const program = tinyProgram(machineArchitecture());
  const directory = await mkdtemp(join(tmpdir(), 'flightline-tiny-'));
  try {
    const file = join(directory, 'true');
    await writeFile(file, program);
    await chmod(file, 0o755);
    await expect(promisify(execFile)(file)).resolves.toMatchObject({ stdout: '' });
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});

describe('what builds are given by name', () => {
  const find = async (name: string, configuration: object) => {
    const check = checksFor(ROLES).find((one) => one.name === name)!;
    const context: DoctorContext = {
      roles: ['build'],
      configuration: WorkerConfiguration.parse(configuration),
      environment: {},
    };
    return examine(check, context, false);
  };
  const repositories = ['quay.io/acme'];

  it('is there, and for root alone', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'flightline-doctor-test-'));
    try {
      const file = join(directory, 'token');
      const secrets = { token: { file, repositories } };
      expect(await find('secrets', {})).toMatchObject({ status: 'ok' });
      expect(await find('secrets', { secrets })).toMatchObject({
        status: 'failed',
        detail: expect.stringMatching(/token/) as string,
      });
      await writeFile(file, 'x', { mode: 0o644 });
      expect(await find('secrets', { secrets })).toMatchObject({ status: 'warning', remedy: `chmod 600 ${file}` });
      await chmod(file, 0o600);
      expect(await find('secrets', { secrets })).toMatchObject({ status: 'ok' });
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it('is, for a control worker, the public key of every key, and for a sign worker both', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'flightline-doctor-test-'));
    try {
      const publicKey = join(directory, 'k.pub');
      const keys = { release: { publicKey, repositories } };
      expect(await find('public keys', {})).toMatchObject({
        status: 'warning',
        detail: expect.stringMatching(/nothing is promoted or rolled back/) as string,
      });
      expect(await find('public keys', { keys })).toMatchObject({ status: 'failed' });
      const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      await writeFile(publicKey, pair.publicKey.export({ type: 'spki', format: 'pem' }));
      expect(await find('public keys', { keys })).toMatchObject({ status: 'ok' });
      expect(await find('signing keys', { keys })).toMatchObject({
        status: 'failed',
        detail: 'key release has only a public key: it cannot sign',
      });
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it('is a client that is logged in', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'flightline-doctor-test-'));
    try {
      const flightctl = { configDirectory: directory, repositories, program: STAND_IN_FLIGHTCTL };
      expect(await find('flightctl', {})).toMatchObject({ status: 'ok' });
      expect(await find('flightctl', { flightctl })).toMatchObject({
        status: 'failed',
        remedy: expect.stringMatching(/flightctl login/) as string,
      });
      const logIn = await logInFlightctl(directory);
      for (const [mode, detail, remedy] of [
        ['expired', /server returned 401/, /flightctl login --config-dir/],
        ['installer', /server returned 403/, /flightctl-org-admin/],
        ['unreachable', /connection refused/, /Flight Control answers/],
      ] as const) {
        await logIn.set(mode);
        expect(await find('flightctl', { flightctl })).toMatchObject({
          status: 'failed',
          detail: expect.stringMatching(detail) as string,
          remedy: expect.stringMatching(remedy) as string,
        });
      }
      await logIn.set('ok');
      expect(await logIn.calls()).toEqual([]);
      const well = await find('flightctl', { flightctl });
      expect(well).toMatchObject({
        status: 'ok',
        detail: expect.stringMatching(/^Client Version: v1\.2\.0, logged in with/) as string,
      });
      const missing = await find('flightctl', { flightctl: { ...flightctl, program: '/nowhere/flightctl' } });
      expect(missing).toMatchObject({ status: 'failed', detail: '/nowhere/flightctl is not installed' });
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});
