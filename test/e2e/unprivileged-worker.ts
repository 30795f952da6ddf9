/**
 * Control and sign workers as deployed: an account of their own, no capabilities, no way to get any, and a PATH on
 * which the programs of their role are and podman is not.
 */
import { spawn } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { closeSync, openSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { tmpdir } from 'node:os';
import type { Role } from '../../model/contract/queue.ts';
import type { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { workerConfigurationText } from '../../workers/stack/files.ts';
import { ROOT } from '../support/flightline.ts';
import { untilReady } from '../support/ready-worker.ts';

export interface UnprivilegedOptions {
  role: Exclude<Role, 'build'>;
  name: string;
  /** A user id that no account of the machine has. */
  uid: number;
  configuration: WorkerConfiguration;
  /** For the process: TEMPORAL_ADDRESS and the rest. */
  environment: Record<string, string>;
  /** Programs of this machine that are on its PATH. */
  programs: readonly string[];
}

export interface UnprivilegedWorker {
  pid: number;
  log: string;
  /** Its PATH: one directory. */
  path: string;
  /** Ends it, and removes its files. */
  end(): Promise<void>;
}

/** Starts it, and waits until it polls. This process must be root. */
export async function startUnprivilegedWorker(options: UnprivilegedOptions): Promise<UnprivilegedWorker> {
  const { uid } = options;
  const directory = await mkdtemp(join(tmpdir(), `flightline-${options.role}-`));
  const at = (name: string) => join(directory, name);
  await chmod(directory, 0o755);
  for (const name of ['bin', 'package']) await mkdir(at(name));
  for (const name of ['home', 'work', 'tmp']) {
    await mkdir(at(name), { mode: 0o700 });
    await chown(at(name), uid, uid);
  }
  for (const program of options.programs) await symlink(await find(program), join(at('bin'), program));
  const config = at('worker.yaml');
  const configuration = { ...options.configuration, host: options.name, directories: { work: at('work') } };
  await writeFile(config, workerConfigurationText(configuration), { mode: 0o600 });
  await chown(config, uid, uid);
  const log = at('log');
  const output = openSync(log, 'a', 0o600);
  // The clone and Node may lie where only root can go: the worker sees both in a place of its own.
  const script = [
    'set -e',
    'mount --bind "$1" "$2"; touch "$4"; mount --bind "$3" "$4"',
    'setpriv=$(command -v setpriv); PATH=$5; shift 5',
    'exec "$setpriv" "$@"',
  ].join('\n');
  const node = join(at('bin'), 'node');
  const drop = ['--reuid', `${uid}`, '--regid', `${uid}`, '--clear-groups', '--inh-caps=-all', '--bounding-set=-all'];
  const places = [ROOT, at('package'), await realpath(process.execPath), node, at('bin')];
  const command = [node, join(at('package'), 'dist/client/main.js'), 'worker', '--role', options.role];
  const apart = ['--mount', '--propagation=private', 'sh', '-c', script, 'sh'];
  const child = spawn('unshare', [...apart, ...places, ...drop, '--no-new-privs', ...command, '--config', config], {
    cwd: '/',
    env: { ...options.environment, PATH: process.env['PATH'], HOME: at('home'), TMPDIR: at('tmp') },
    stdio: ['ignore', output, output],
  });
  closeSync(output);
  const end = await untilReady(child, `the ${options.role} worker`, log, () =>
    rm(directory, { recursive: true, force: true }),
  );
  return { pid: child.pid!, log, path: at('bin'), end };
}

/** The path of a program of this machine. */
async function find(program: string): Promise<string> {
  for (const directory of (process.env['PATH'] ?? '').split(delimiter)) {
    const path = await realpath(join(directory, program)).catch(() => undefined);
    if (path !== undefined) return path;
  }
  throw new Error(`${program} is not installed`);
}
