/**
 * A machine that deploy/README.md is followed on: a mount namespace whose /etc, /usr/local and /var/lib take what is
 * installed there and forget it, with the packed package and an empty /etc/flightline.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa, type Options } from 'execa';
import { ROOT } from '../flightline.ts';

/** Where `npm install --global --prefix /usr/local` puts the package. */
const PACKAGE = '/usr/local/lib/node_modules/flightline';
/** What systemd gives a unit, and a login of root. */
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
/** What an installation writes to. */
const OVERLAID = ['/etc', '/usr/local', '/var/lib'];
/** Stays the machine's own: a disk builder mounts podman's storage by this path. */
const STORAGE = '/var/lib/containers';
/** Work and temporary files of a build host: no overlay, which podman's own would lie on. */
const PLAIN = ['/var/lib/flightline', '/var/cache/flightline-build'];

export interface Machine {
  /** The first words of a command that enters it. */
  enter: string[];
  /** Runs a script as root in the package's directory, as a person does from deploy/README.md. */
  sh(script: string, options?: Options & { env?: Record<string, string> }): Promise<string>;
  end(): Promise<void>;
}

const SCRIPT = [
  'set -e',
  'own=$1 node_modules=$2 package=$3 storage=$4; shift 4',
  'mkdir "$own/storage"; mount --rbind "$storage" "$own/storage"',
  'while [ "$1" != -- ]; do',
  '  mkdir -p -m 755 "$own/upper$1" "$own/work$1"',
  '  mount -t overlay overlay -o "lowerdir=$1,upperdir=$own/upper$1,workdir=$own/work$1" "$1"; shift',
  'done; shift',
  'mkdir -p "$storage"; mount --rbind "$own/storage" "$storage"',
  'for place; do mkdir -p "$own/plain$place" "$place"; mount --bind "$own/plain$place" "$place"; done',
  'mkdir -p /run/credentials; mount -t tmpfs -o mode=755 tmpfs /run/credentials',
  'mkdir -p "$package/node_modules"; mount --bind "$own/package" "$package"',
  'mount --bind "$node_modules" "$package/node_modules"',
  'echo made',
  // Ends with this process: nobody else holds the other side of its standard input.
  'exec cat',
].join('\n');

/** Makes the machine. Needs root. */
export async function makeMachine(): Promise<Machine> {
  const own = await mkdtemp(join(tmpdir(), 'flightline-machine-'));
  const at = (path: string) => join(own, path);
  await chmod(own, 0o755);
  const packed = await execa('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', own], { cwd: ROOT });
  const [{ filename }] = JSON.parse(packed.stdout) as [{ filename: string }];
  await mkdir(at('package/node_modules'), { recursive: true });
  await execa('tar', ['--extract', '--file', at(filename), '--directory', at('package'), '--strip-components=1']);
  await mkdir(at('upper/usr/local/bin'), { recursive: true });
  await symlink('../lib/node_modules/flightline/dist/client/main.js', at('upper/usr/local/bin/flightline'));
  const places = [own, join(ROOT, 'node_modules'), PACKAGE, STORAGE, ...OVERLAID, '--', ...PLAIN];
  const args = ['--mount', '--propagation=private', 'sh', '-c', SCRIPT, 'sh', ...places];
  const holder = spawn('unshare', args, { stdio: ['pipe', 'pipe', 'inherit'], detached: true });
  const ended = once(holder, 'exit');
  await Promise.race([
    once(holder.stdout, 'data'),
    ended.then(() => Promise.reject(new Error('the machine could not be made: this needs root and overlayfs'))),
  ]);
  const enter = ['nsenter', `--target=${holder.pid}`, '--mount'];
  return {
    enter,
    async sh(script, { env, ...options } = {}) {
      const [program, ...first] = [...enter, 'sh', '-ec', `cd ${PACKAGE}\n${script}`];
      const environment = { PATH, HOME: '/root', ...env };
      const { exitCode, all } = await execa(program!, first, {
        ...options,
        env: environment,
        extendEnv: false,
        reject: false,
        all: true,
      });
      if (exitCode !== 0) throw new Error(`exit code ${exitCode} of ${script}\n${String(all)}`);
      return String(all);
    },
    async end() {
      holder.kill('SIGKILL');
      await ended;
      await rm(own, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    },
  };
}
