/** deploy/ with the programs that will read it: systemd, podman's Quadlet generator, Temporal's command line. */
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SEARCH_ATTRIBUTES } from '../../model/stage/stage.ts';
import { findTemporalCli } from '../../workers/stack/temporal-cli/temporal-cli.ts';
import { ROOT } from '../support/flightline.ts';
import { sharedStack } from '../support/shared-stack.ts';
import { withClient } from '../support/stack.ts';

/** Where an administrator puts units, below a machine's root. */
const UNITS = '/etc/systemd/system';
const PACKAGE = '/usr/local/lib/node_modules/flightline';

/** A temporary root with the packed package installed, and its deploy/ directory in it. */
let root: string;
const at = (path: string) => join(root, path);
const deploy = (path: string) => at(join(PACKAGE, 'deploy', path));

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'flightline-root-'));
  const packed = await execa('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', root], { cwd: ROOT });
  const [{ filename }] = JSON.parse(packed.stdout) as [{ filename: string }];
  for (const path of [PACKAGE, '/usr/local/bin', UNITS]) await mkdir(at(path), { recursive: true });
  // What `npm install --global` does, but for the dependencies, which no unit knows.
  await execa('tar', ['--extract', '--file', at(filename), '--directory', at(PACKAGE), '--strip-components=1']);
  await symlink('../lib/node_modules/flightline/dist/client/main.js', at('/usr/local/bin/flightline'));
  await cp('/usr/lib/systemd/system', at('/usr/lib/systemd/system'), { recursive: true, verbatimSymlinks: true });
  for (const name of await readdir(deploy('systemd'))) {
    if (name.endsWith('.service')) await cp(deploy(`systemd/${name}`), at(`${UNITS}/${name}`));
  }
  const dropIn = at(`${UNITS}/flightline-build.service.d/keys-out-of-sight.conf`);
  await mkdir(dirname(dropIn));
  await cp(deploy('systemd/flightline-build-keys-out-of-sight.conf'), dropIn);
});

afterAll(() => rm(root, { recursive: true, force: true }));

const analyze = (...args: string[]) => execa('systemd-analyze', [...args, `--root=${root}`], { reject: false });

describe('the package', () => {
  it('holds the command, its workflows ready-made, the licences of what is bundled, and deploy/', () => {
    for (const path of [
      'dist/client/main.js',
      'dist/workflow-bundle.cjs',
      'dist/THIRD-PARTY.md',
      'deploy/Containerfile',
    ]) {
      expect(existsSync(at(join(PACKAGE, path))), path).toBe(true);
    }
  });
});

describe('the units', () => {
  const verify = (unit: string) => analyze('verify', '--man=no', unit);

  it.each(['flightline-build.service', 'flightline-control.service', 'flightline-sign.service'])(
    'systemd takes %s without a word',
    async (unit) => {
      const { exitCode, stdout, stderr } = await verify(unit);
      expect({ exitCode, stdout, stderr }).toEqual({ exitCode: 0, stdout: '', stderr: '' });
    },
  );

  it.each([
    ['a program that is not there', 'bin/flightline ', 'bin/flightlime ', /flightlime is not executable/],
    ['a key that does not exist', 'RestartSec=', 'RestartSeconds=', /Unknown key 'RestartSeconds'/],
    ['a word that means nothing', 'KillMode=process', 'KillMode=proces', /Failed to parse kill mode specification/],
  ])('and would say so of %s', async (_, right, wrong, words) => {
    const text = await readFile(at(`${UNITS}/flightline-build.service`), 'utf8');
    expect(text).toContain(right);
    await writeFile(at(`${UNITS}/broken.service`), text.replace(right, wrong));
    expect((await verify('broken.service')).stderr).toMatch(words);
  });

  it.each(['flightline-control.service', 'flightline-sign.service'])('%s has next to no rights', async (unit) => {
    // systemd's own measure, in tenths: below 2.0 of 10 is what is left without the network (README.md).
    const limit = '--threshold=20';
    expect(await analyze('security', '--offline=true', '--no-pager', limit, unit)).toMatchObject({ exitCode: 0 });
    const build = await analyze('security', '--offline=true', '--no-pager', limit, 'flightline-build.service');
    expect(build.exitCode, 'the measure tells units apart').toBe(1);
  });

  it('have their accounts', async () => {
    const args = ['--dry-run', `--root=${root}`, deploy('systemd/flightline.sysusers.conf')];
    const { stdout, stderr } = await execa('systemd-sysusers', args);
    for (const role of ['control', 'sign']) {
      const unit = await readFile(at(`${UNITS}/flightline-${role}.service`), 'utf8');
      expect(unit).toContain(`User=flightline-${role}\n`);
      expect(`${stdout}\n${stderr}`).toContain(`Creating user 'flightline-${role}'`);
    }
  });
});

describe('the Quadlets', () => {
  const GENERATOR = '/usr/libexec/podman/quadlet';
  const generate = (directory: string) =>
    execa(GENERATOR, ['-dryrun'], { env: { QUADLET_UNIT_DIRS: directory }, reject: false });

  it('become units that systemd takes', async () => {
    const { exitCode, stdout, stderr } = await generate(deploy('quadlet'));
    expect(exitCode, stderr).toBe(0);
    // Two parts each, after a heading: `---flightline-sign.service---`.
    const parts = stdout.split(/^---(.+\.service)---$/m).slice(1);
    const units = Object.fromEntries(parts.flatMap((part, index) => (index % 2 ? [] : [[part, parts[index + 1]!]])));
    expect(Object.keys(units).toSorted()).toEqual(['flightline-control.service', 'flightline-sign.service']);
    for (const [name, text] of Object.entries(units)) {
      const start = /^ExecStart=(.*)$/m.exec(text)![1]!;
      for (const flag of ['--user 10001:10001', '--cap-drop all', '--read-only', '--security-opt=no-new-privileges']) {
        expect(start, name).toContain(flag);
      }
      expect(start, name).not.toContain('--privileged');
    }
  });

  it('would be refused with a key that does not exist', async () => {
    const directory = at('/quadlet');
    await cp(deploy('quadlet'), directory, { recursive: true });
    const file = join(directory, 'flightline-sign.container');
    await writeFile(file, (await readFile(file, 'utf8')).replace('ReadOnly=', 'ReadOnlyy='));
    const { exitCode, stderr } = await generate(directory);
    expect([exitCode, stderr]).toEqual([1, expect.stringContaining("unsupported key 'ReadOnlyy'")]);
  });
});

describe('deploy/temporal/set-up-namespace.sh', () => {
  it('makes namespace, retention and search attributes, and changes nothing the second time', async () => {
    const stack = sharedStack();
    const cli = await findTemporalCli();
    const namespace = `deployed-${process.pid}`;
    const run = () =>
      execa('sh', [deploy('temporal/set-up-namespace.sh'), namespace, '72h'], {
        env: {
          TEMPORAL_ADDRESS: stack.temporalAddress,
          PATH: `${dirname(cli.path)}${delimiter}${process.env['PATH']}`,
        },
      });
    await run();
    await run();
    await withClient(stack, async ({ connection, workflowService }) => {
      const { config } = await workflowService.describeNamespace({ namespace });
      expect(Number(config?.workflowExecutionRetentionTtl?.seconds)).toBe(72 * 3_600);
      const { customAttributes } = await connection.operatorService.listSearchAttributes({ namespace });
      expect(Object.keys(customAttributes ?? {})).toEqual(expect.arrayContaining(Object.keys(SEARCH_ATTRIBUTES)));
    });
  });
});
