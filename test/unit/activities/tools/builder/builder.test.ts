import { describe, expect, it } from 'vitest';
import {
  builderArguments,
  decideBuilder,
  pickResult,
  withoutPasswords,
  type OutputEntry,
} from '../../../../../activities/tools/builder/builder.ts';
import { containerState } from '../../../../../activities/tools/podman/container/container-state.ts';

const command = {
  installation: 'i',
  release: 'release/quay.io/acme/edge:1',
  branch: 'qcow2+vmdk',
  inputs: `sha256:${'0'.repeat(64)}`,
  name: 'flightline-0123456789ab',
  builder: `quay.io/b/bib@sha256:${'1'.repeat(64)}`,
  image: 'quay.io/acme/edge:1',
  installer: null,
  types: ['vmdk', 'qcow2'] as const,
  rootfs: 'xfs',
  architecture: null,
  output: '/w/output',
  log: '/w/container.log',
  graphRoot: '/srv/storage',
  config: { path: '/w/config.toml', format: 'toml' as const },
  driver: 'bootc-image-builder' as const,
  options: {},
  volumes: ['/etc/pki/entitlement:/etc/pki/entitlement:ro'],
};

describe('the command line of the builder', () => {
  const args = builderArguments(command);

  it('is the guide’s, detached, without a terminal and without pulling', () => {
    expect(args.slice(0, 2)).toEqual(['run', '--detach']);
    expect(args).not.toContain('-it');
    expect(args).not.toContain('--rm');
    expect(args).toEqual(
      expect.arrayContaining(['--privileged', '--security-opt=label=type:unconfined_t', '--pull=never']),
    );
    expect(args).toEqual(
      expect.arrayContaining([
        '/w/config.toml:/config.toml:ro',
        '/w/output:/output',
        '/srv/storage:/var/lib/containers/storage',
        '--volume=/etc/pki/entitlement:/etc/pki/entitlement:ro',
      ]),
    );
  });

  it('gives the builder all types in one order, and the name that devices know', () => {
    const own = args.slice(args.indexOf(command.builder));
    expect(own).toEqual([
      command.builder,
      'build',
      '--progress=verbose',
      '--type=qcow2',
      '--type=vmdk',
      '--rootfs=xfs',
      'quay.io/acme/edge:1',
    ]);
  });

  it('gives it what the spec asks for, and no more', () => {
    const given = { inVm: true, useLibrepo: false, seed: 7, defaultKernelArguments: false } as const;
    const more = { architecture: 'arm64' as const, options: { arguments: given, network: 'host' as const } };
    const asked = builderArguments({ ...command, ...more });
    expect(asked.filter((word) => !args.includes(word))).toEqual([
      '--network=host',
      '--target-arch=arm64',
      '--in-vm=true',
      '--use-librepo=false',
      '--seed=7',
      '--no-default-kernel-args',
    ]);
    expect(asked.indexOf('--network=host')).toBeLessThan(asked.indexOf(command.builder));
    expect(asked.indexOf('--seed=7')).toBeGreaterThan(asked.indexOf(command.builder));
    expect(asked.at(-1)).toBe(command.image);
  });

  it('says whose container it is', () => {
    expect(args).toContain('--label=io.flightline.installation=i');
    expect(args).toContain('--label=io.flightline.branch=qcow2+vmdk');
  });

  it('mounts no configuration when there is none', () => {
    expect(builderArguments({ ...command, config: null, rootfs: null }).join(' ')).not.toMatch(/config\.|rootfs/);
  });
});

describe('decideBuilder', () => {
  it('does not take the end of a reboot for one of its own', () => {
    expect(decideBuilder({ status: 'exited', ended: false }, false)).toBe('replace');
  });

  it.each<[string | null, boolean, ReturnType<typeof decideBuilder>]>([
    [null, false, 'start'],
    ['running', true, 'attach'],
    ['paused', true, 'attach'],
    ['stopping', true, 'attach'],
    ['running', false, 'replace'],
    ['exited', false, 'collect'],
    ['stopped', false, 'collect'],
    ['created', false, 'replace'],
    ['configured', false, 'replace'],
    ['removing', false, 'replace'],
    ['unknown', false, 'replace'],
  ])('%s, conmon %s: %s', (status, conmon, expected) => {
    expect(decideBuilder(status === null ? null : { status, ended: true }, conmon)).toBe(expected);
  });
});

describe('the end of a container', () => {
  // As podman 5.4 tells it of a container that ran to its end, and of one that ran when the machine was switched off.
  it.each([
    ['2026-11-23T16:39:22.063592022Z', true],
    ['2026-11-23T17:39:22.063592022+01:00', true],
    ['0001-01-01T00:00:00Z', false],
    ['', false],
  ])('of "%s" was noted: %s', (finishedAt, expected) => {
    const State = { Status: 'exited', ExitCode: 0, FinishedAt: finishedAt };
    const told = JSON.stringify([{ Id: 'a1', Name: 'builder', Config: { Labels: null }, State }]);
    expect(containerState(told)).toMatchObject({ name: 'builder', labels: {}, ended: expected, conmonPid: 0 });
  });
});

describe('pickResult', () => {
  const file = (name: string, size = 5): OutputEntry => ({ name, file: true, size });
  const directory = (name: string): OutputEntry => ({ name, file: false, size: 4096 });

  it('takes the one regular file, whatever its name', () => {
    expect(pickResult('qcow2', 'qcow2', [file('disk.qcow2'), directory('x')])).toEqual({
      ok: true,
      name: 'disk.qcow2',
      size: 5,
    });
    expect(pickResult('iso', 'bootiso', [file('install.iso')])).toMatchObject({ ok: true });
  });

  it.each<[string, OutputEntry[], RegExp]>([
    ['nothing', [], /no file in qcow2\//],
    ['a directory only', [directory('tree')], /no file/],
    ['two files', [file('a'), file('b')], /2 files \(a, b\)/],
    ['an empty file', [file('a', 0)], /empty file qcow2\/a/],
  ])('refuses %s', (_name, entries, problem) => {
    const choice = pickResult('qcow2', 'qcow2', entries);
    expect(choice).toMatchObject({ ok: false });
    expect(choice.ok ? '' : choice.problem).toMatch(problem);
  });
});

describe('withoutPasswords', () => {
  it.each([
    ['      "password": "$6$abcdef$Zm9vYmFyMTIzNDU2Nzg5",', '      "password": "[secret]",'],
    ['rootpw --iscrypted $6$rounds=5000$salt$aaaaaaaaaaaaaaaa', 'rootpw --iscrypted [secret]'],
    ['yescrypt $y$j9T$F5Jx5fExrKuPp53xLKQ..1$X3DX6M94c7o.9agCG9G', 'yescrypt [secret]'],
    ['costs $6 and $7 in total', 'costs $6 and $7 in total'],
    ['org.osbuild.users: 88d3757af06f {', 'org.osbuild.users: 88d3757af06f {'],
  ])('%s', (line, expected) => {
    expect(withoutPasswords(line)).toBe(expected);
  });
});
