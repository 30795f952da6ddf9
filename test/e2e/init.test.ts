/** What `flightline init` writes for the example's base is released as it is: for bare metal, with late binding. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { COMMAND, recordFrom, ROOT, runFlightline } from '../support/flightline.ts';
import { digestOf, manifestOf } from '../support/registry.ts';
import { sharedStack } from '../support/shared-stack.ts';

const stack = sharedStack();
const { environment, registry } = stack;

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'flightline-init-test-'));
});
afterAll(() => rm(directory, { recursive: true, force: true }));

describe('a project for bare metal', () => {
  const target = 'bare-metal';
  const repository = `${registry}/test/init-${target}`;
  const spec = () => join(directory, target, 'flightline.yaml');

  it('is written', async () => {
    const flags = ['--target', target, '--base', 'debian-example', '--binding', 'late', '--repository', repository];
    const outcome = await runFlightline(['init', target, ...flags], { environment, cwd: directory });
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    expect(outcome.stdout).toContain(`wrote ${target}/Containerfile`);
  });

  it('passes flightline lint --strict', async () => {
    const outcome = await runFlightline(['lint', spec(), '--strict', '--json'], { environment });
    expect(outcome.exitCode, outcome.stdout).toBe(0);
    expect(JSON.parse(outcome.stdout)).toMatchObject({ ok: true, findings: [] });
  });

  it('is released', async () => {
    const outcome = await runFlightline(['run', spec(), '--strict', '--json'], { environment });
    expect(outcome.exitCode, outcome.stderr).toBe(0);
    const record = recordFrom(outcome);
    expect(record).toMatchObject({
      status: 'released',
      image: { reference: `${repository}:v1`, verified: true },
      disks: [{ type: 'iso', form: 'artifact', reference: `${repository}/diskimage-iso:v1`, verified: true }],
    });
    const [disk] = record.disks;
    expect(await digestOf(disk!.reference!)).toBe(disk!.digest);
    const manifest = await manifestOf(disk!.reference!);
    const { manifests = [] } = manifest as unknown as { manifests?: { artifactType?: string }[] };
    const artifactTypes = manifests.map((entry) => entry.artifactType);
    expect(artifactTypes).toEqual(['application/vnd.diskimage.iso']);
  });

  it('is not written over', async () => {
    const outcome = await runFlightline(['init', target, '--json'], { environment, cwd: directory });
    expect(outcome.exitCode).toBe(2);
    expect(JSON.parse(outcome.stdout)).toMatchObject({ error: { kind: 'exists' } });
  });
});

/** A terminal, by script(1); keys are typed when what they answer is asked. */
async function onTerminal(args: readonly string[], typed: readonly [question: string, keys: string][]) {
  const command = ['stty cols 100 rows 40;', process.execPath, COMMAND, ...args].join(' ');
  const terminal = execa('script', ['--quiet', '--return', '--command', command, '/dev/null'], {
    cwd: directory,
    env: { TERM: 'xterm' },
    reject: false,
    timeout: 60_000,
  });
  let shown = '';
  const left = [...typed];
  terminal.stdout.on('data', (bytes: Buffer) => {
    shown += bytes.toString();
    const [next] = left;
    if (!next || !shown.includes(next[0])) return;
    left.shift();
    terminal.stdin.write(next[1]);
  });
  const { exitCode } = await terminal;
  return { exitCode, shown, left };
}

describe('on a terminal', () => {
  const DOWN = '\u001B[B';

  it('asks for what no flag says', async () => {
    const { exitCode, shown, left } = await onTerminal(
      ['init', '--base', 'centos-stream9'],
      [
        ['In which directory?', 'asked\r'],
        ['Where do devices run?', `${DOWN}${DOWN}\r`],
        ['podman-compose?', 'y'],
        ['public SSH key', '\r'],
        ['Where is the OS image published?', 'edge:v1\r'],
        ['is not a repository name', `${'\u007F'.repeat(7)}quay.io/acme/edge\r`],
      ],
    );
    expect({ exitCode, left }, shown).toEqual({ exitCode: 0, left: [] });
    expect(await readFile(join(directory, 'asked/flightline.yaml'), 'utf8')).toMatch(
      /repository: quay\.io\/acme\/edge\n[^]*type: vmdk/,
    );
    expect(await readFile(join(directory, 'asked/Containerfile'), 'utf8')).toMatch(/^RUN dnf -y install epel-release/m);
  });

  it('writes nothing after Ctrl-C', async () => {
    const { exitCode, shown } = await onTerminal(['init', 'not'], [['Where do devices run?', '\u0003']]);
    expect(exitCode, shown).toBe(130);
    expect(shown).toContain('interrupted: nothing was written');
    await expect(readdir(join(directory, 'not'))).rejects.toThrow('ENOENT');
  });
});

it('is written where the user stands, also when npm calls it, and the hints can be typed there', async () => {
  const flags = ['--target', 'vsphere', '--base', 'debian-example', '--repository', 'quay.io/acme/edge'];
  const npm = ['--prefix', ROOT, 'run', '--silent', 'flightline', '--'];
  const outcome = await execa('npm', [...npm, 'init', 'by-npm', ...flags], { cwd: directory, reject: false });
  expect(outcome.exitCode, outcome.stderr).toBe(0);
  expect(outcome.stdout).toContain('wrote by-npm/flightline.yaml');
  const [, typed] = /^ {2}(npm .* lint by-npm\/flightline\.yaml)$/m.exec(outcome.stdout)!;
  const linted = await execa('sh', ['-c', typed!], { cwd: directory, reject: false });
  expect(linted.exitCode, linted.stderr).toBe(0);
});

it('says which flags are missing where there is no terminal', async () => {
  const outcome = await runFlightline(['init', 'none', '--base', 'rhel9'], { environment, cwd: directory });
  expect(outcome.exitCode).toBe(2);
  expect(outcome.stderr).toContain('--target, --binding, --repository are missing, and there is no terminal to ask on');
});

it('does not start a release with --strict when something is found', async () => {
  const made = join(directory, 'bare-metal/flightline.yaml');
  const containerfile = join(directory, 'bare-metal/Containerfile');
  await writeFile(containerfile, `${await readFile(containerfile, 'utf8')}ARG DB_PASSWORD\n`);
  const outcome = await runFlightline(['run', made, '--tag', 'v2', '--strict', '--json'], { environment });
  expect(outcome.exitCode).toBe(1);
  expect(JSON.parse(outcome.stdout)).toMatchObject({
    error: { kind: 'lint', message: expect.stringContaining('secret-in-image') },
  });
});
