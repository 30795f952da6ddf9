import { CommanderError } from '@commander-js/extra-typings';
import { describe, expect, test, vi } from 'vitest';
import { runCommandLine } from '../../../client/command-line.ts';
import type { Call } from '../../../client/verb.ts';
import { createProgram } from '../../../client/verbs.ts';

/** What a command line asks for: the verb's name and what it is given. */
async function parse(...args: string[]): Promise<[string, unknown[], Call['options'], boolean] | undefined> {
  let called: Call | undefined;
  const program = await createProgram(args, {
    act: async (call) => void (called = call),
    writeErr: () => undefined,
  });
  await program.parseAsync(args, { from: 'user' });
  return called && [called.name, called.args, called.options, called.json];
}

const R = 'quay.io/acme/edge-camera:v1';

test.each<[string[], string, unknown[], boolean]>([
  [['run'], 'run', ['flightline.yaml', {}], false],
  [['run', 'x.yaml', '--tag', 'v2', '--detach', '--json'], 'run', ['x.yaml', { tag: 'v2', detach: true }], true],
  [
    ['run', '--on-failure', 'fail', '--keep-files', '/d'],
    'run',
    ['flightline.yaml', { onFailure: 'fail', keepFiles: '/d' }],
    false,
  ],
  [['run', '--logs'], 'run', ['flightline.yaml', { logs: true }], false],
  [['run', '--strict'], 'run', ['flightline.yaml', { strict: true }], false],
  [['version', '--json'], 'version', [], true],
  [['init'], 'init', [undefined, {}], false],
  [['init', 'd', '--ssh-key', 'k.pub', '--user', 'ann'], 'init', ['d', { sshKey: 'k.pub', user: 'ann' }], false],
  [
    ['init', 'd', '--target', 'vsphere', '--base', 'rhel9', '--binding', 'late', '--podman-compose', '--json'],
    'init',
    ['d', { target: 'vsphere', base: 'rhel9', binding: 'late', podmanCompose: true }],
    true,
  ],
  [
    ['init', '--no-podman-compose', '--repository', 'r', '--base-image', 'b', '--builder-image', 'c'],
    'init',
    [undefined, { podmanCompose: false, repository: 'r', baseImage: 'b', builderImage: 'c' }],
    false,
  ],
  [['lint'], 'lint', ['flightline.yaml', {}], false],
  [['lint', 'x.yaml', '--strict', '--json'], 'lint', ['x.yaml', { strict: true }], true],
  [['run', '--dry-run', '--json'], 'run', ['flightline.yaml', { dryRun: true }], true],
  [['run', '--public-context'], 'run', ['flightline.yaml', { publicContext: true }], false],
  [['list'], 'list', [{ limit: 20 }], false],
  [
    ['list', '--status', 'held', '--repository', 'r', '--since', '2d'],
    'list',
    [{ status: 'held', repository: 'r', since: '2d', limit: 20 }],
    false,
  ],
  [['list', '--limit', '5', '--json'], 'list', [{ limit: 5 }], true],
  [['status', R, '--json'], 'status', [R], true],
  [['watch', R], 'watch', [R], false],
  [['cancel', R], 'cancel', [R], false],
  [['retry', R, '--spec', 'f.yaml'], 'retry', [R, { spec: 'f.yaml' }], false],
  [['retry', R, '--detach', '--json'], 'retry', [R, { detach: true }], true],
  [['approve', R, '--comment', 'good'], 'approve', [R, { comment: 'good' }], false],
  [['reject', R, '--json'], 'reject', [R, {}], true],
  [['promote', R, '--to', 'stable'], 'promote', [R, { to: 'stable' }], false],
  [
    ['promote', R, '--to', 'b', '--approval', 'required', '--key', 'k', '--allow-older', '--detach', '--json'],
    'promote',
    [R, { to: 'b', approval: 'required', key: 'k', allowOlder: true, detach: true }],
    true,
  ],
  [['rollback', R, '--to', 'v1', '--comment', 'bad'], 'rollback', [R, { to: 'v1', comment: 'bad' }], false],
  [['history', R, '--json'], 'history', [R, {}], true],
  [['logs', R], 'logs', [R, undefined, {}], false],
  [
    ['logs', R, 'build', '--subject', 'image', '--follow'],
    'logs',
    [R, 'build', { subject: 'image', follow: true }],
    false,
  ],
  [['logs', R, '--key', 'k', '--json'], 'logs', [R, undefined, { key: 'k' }], true],
  [['hosts', '--json'], 'hosts', [], true],
  [['schedule', 'set'], 'schedule set', ['flightline.yaml', {}], false],
  [
    ['schedule', 'set', 'f.yaml', '--cron', '0 2 * * *', '--time-zone', 'Europe/Berlin', '--public-context', '--json'],
    'schedule set',
    ['f.yaml', { cron: '0 2 * * *', timeZone: 'Europe/Berlin', publicContext: true }],
    true,
  ],
  [['schedule', 'list', '--json'], 'schedule list', [], true],
  [['schedule', 'show', 'r'], 'schedule show', ['r'], false],
  [['schedule', 'pause', 'r', '--note', 'why'], 'schedule pause', ['r', { note: 'why' }], false],
  [['schedule', 'resume', 'r'], 'schedule resume', ['r'], false],
  [['schedule', 'trigger', 'r', '--json'], 'schedule trigger', ['r'], true],
  [['schedule', 'delete', 'r'], 'schedule delete', ['r'], false],
  [['keygen', '--output-prefix', 'p'], 'keygen', [{ outputPrefix: 'p' }], false],
  [['verify', R, '--key', 'k.pub'], 'verify', [R, { key: 'k.pub' }], false],
  [['device-config', '--output', 'd'], 'device-config', ['flightline.yaml', { output: 'd' }], false],
  [
    ['device-config', 'x.yaml', '--output', '/', '--merge', 'p.json', '--public-key', 'k.pub', '--json'],
    'device-config',
    ['x.yaml', { output: '/', merge: 'p.json', publicKey: 'k.pub' }],
    true,
  ],
  [['provision', 'ignition', '--config', 'c.yaml'], 'provision', ['ignition', { config: 'c.yaml' }], false],
  [
    ['provision', 'cloud-init', '--config', 'c', '--target', 'vsphere', '--name', 'edge-1', '--output', 'o'],
    'provision',
    ['cloud-init', { config: 'c', target: 'vsphere', name: 'edge-1', output: 'o' }],
    false,
  ],
  [['boot', 'd.qcow2'], 'boot', ['d.qcow2', { output: '.', memory: 2_048, kvm: true }], false],
  [
    ['boot', R, '--type', 'qcow2', '--key', 'k', '-o', 'd', '--memory', '512', '--ssh', '2222', '--no-kvm'],
    'boot',
    [R, { type: 'qcow2', key: 'k', output: 'd', memory: 512, ssh: 2222, kvm: false }],
    false,
  ],
  [['doctor'], 'doctor', [{}], false],
  [['doctor', '--role', 'build', '--fix', '--json'], 'doctor', [{ role: ['build'], fix: true }], true],
  [['up'], 'up', [{ data: '.flightline/stack', examples: true }], false],
  [['up', '--no-examples'], 'up', [{ data: '.flightline/stack', examples: false }], false],
  [
    ['up', '--registry', 'quay.io/acme', '--data', 'd'],
    'up',
    [{ registry: 'quay.io/acme', data: 'd', examples: true }],
    false,
  ],
  [['worker'], 'worker', [{ role: ['control', 'build', 'sign'] }], false],
  [
    ['worker', '--role', 'sign,control', '--host-name', 'h', '--config', 'c'],
    'worker',
    [{ role: ['control', 'sign'], hostName: 'h', config: 'c' }],
    false,
  ],
  [['drain'], 'drain', [{}], false],
  [['drain', '--wait', '--comment', 'new kernel', '--json'], 'drain', [{ wait: true, comment: 'new kernel' }], true],
  [['drain', '--undo', '--config', 'c'], 'drain', [{ undo: true, config: 'c' }], false],
])('flightline %j', async (args, verb, given, json) => {
  const options = typeof given.at(-1) === 'object' ? given.pop() : {};
  expect(await parse(...args)).toEqual([verb, given, options, json]);
});

describe('usage errors', () => {
  test.each([
    [['nonsense']],
    [['run', '--nonsense']],
    [['run', 'a', 'b']],
    [['run', '--on-failure', 'ignore']],
    [['init', '--target', 'cloud']],
    [['init', '--base', 'gentoo']],
    [['init', '--binding', 'soon']],
    [['list', '--limit', '0']],
    [['list', '--limit', 'x']],
    [['status']],
    [['approve', R, '--waive', 'cves', '--without', 'linux/arm64', '--comment', 'both']],
    [['approve', R, '--without', 'linux/arm64', '--digest', 'sha256:0']],
    [['promote', R]],
    [['promote', R, '--to', 'b', '--approval', 'perhaps']],
    [['rollback']],
    [['keygen']],
    [['schedule', 'show']],
    [['schedule', 'pause', 'r']],
    [['device-config']],
    [['provision', 'cloud-init']],
    [['provision', 'pigeon', '--config', 'c']],
    [['provision', 'cloud-init', '--config', 'c', '--target', 'moon']],
    [['worker', '--role', 'build,cook']],
  ])('%j', async (args) => {
    await expect(parse(...args)).rejects.toBeInstanceOf(CommanderError);
  });
});

test.each([
  [['rollback'], 'flightline rollback --help'],
  [['run', '--nonsense'], 'flightline run --help'],
  [['nonsense'], 'flightline --help'],
])('%j is told where it stands what is right', async (args, help) => {
  let said = '';
  const write = vi.spyOn(process.stderr, 'write').mockImplementation((text) => ((said += String(text)), true));
  expect(await runCommandLine(args)).toBe(2);
  write.mockRestore();
  expect(said).toContain(`\`${help}\` shows`);
});

test('every verb has help with an example of its own', async () => {
  const program = await createProgram(['--help'], { act: async () => undefined, writeErr: () => undefined });
  const all = program.commands.flatMap((command) => [command, ...command.commands]);
  for (const command of all) {
    let help = '';
    command.configureOutput({ writeOut: (text) => (help += text) });
    command.outputHelp();
    const name = command.parent === program ? command.name() : `${command.parent!.name()} ${command.name()}`;
    expect(help, name).toMatch(new RegExp(`Examples?:\\n {2}\\$ flightline ${name}\\b`));
  }
});

test.each(['schedule', 'keys'])('%s alone prints its help, as --help does', async (name) => {
  let written = '';
  const program = await createProgram([name], {
    act: async () => undefined,
    writeErr: (text) => void (written += text),
  });
  const family = program.commands.find((command) => command.name() === name)!;
  let help = '';
  family.configureOutput({ writeOut: (text) => (help += text), writeErr: (text) => (written += text) });
  await expect(program.parseAsync([name], { from: 'user' })).rejects.toBeInstanceOf(CommanderError);
  family.outputHelp();
  expect(written.trim()).toBe(help.trim());
  expect(help).toMatch(new RegExp(`^Usage: flightline ${name} [^]*Commands:\\n[^]*Examples?:\\n`));
});

test('the overview has every verb under a heading', async () => {
  const program = await createProgram(['--help'], { act: async () => undefined, writeErr: () => undefined });
  const help = program.helpInformation();
  expect(help).toMatch(/A project:\n {2}init .*\n {2}lint .*\n\nReleases:\n {2}cancel /);
  expect(help).not.toContain('Commands:');
});
