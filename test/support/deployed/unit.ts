/**
 * Starts what a systemd unit says, where no systemd runs: its account, credentials, directories and environment, a
 * read-only machine, and what it must not see. Not its filters of system calls and address families.
 */
import { openSync, closeSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { untilReady } from '../ready-worker.ts';
import type { Machine } from './machine.ts';

export interface StartedUnit {
  pid: number;
  log: string;
  end(): Promise<void>;
}

/** The settings of a unit's file, in order. */
function settingsOf(text: string): { all(name: string): string[]; one(name: string): string | undefined } {
  const lines = text.split('\n').filter((line) => /^[A-Za-z]+=/.test(line));
  const all = (name: string) =>
    lines.filter((line) => line.startsWith(`${name}=`)).map((line) => line.slice(name.length + 1));
  return { all, one: (name) => all(name).at(-1) };
}

/** What is done before the program takes over, as root in a mount namespace of the unit's own. */
const PREPARE = [
  'set -e',
  'for place in $HIDDEN; do',
  '  if [ -d "$place" ]; then mount -t tmpfs -o mode=000 tmpfs "$place"',
  '  elif [ -e "$place" ]; then mount --bind /dev/null "$place"; fi',
  'done',
  'if [ "$STRICT" = yes ]; then',
  '  mount --bind "$STATE" "$STATE"',
  '  for place in / /etc /usr/local /var/lib; do mount -o remount,bind,ro "$place"; done',
  '  mount -o remount,bind,rw "$STATE"',
  '  mount -t tmpfs -o mode=1777 tmpfs /tmp; mount -t tmpfs -o mode=1777 tmpfs /var/tmp',
  'fi',
  'umask "$MASK"',
  'exec "$@"',
].join('\n');

/** Starts a unit that was installed on the machine, and waits until its worker is ready. */
export async function startUnit(machine: Machine, name: string, log: string): Promise<StartedUnit> {
  const unit = settingsOf(await machine.sh(`cat /etc/systemd/system/${name}.service`));
  const user = unit.one('User');
  const credentials = `/run/credentials/${name}.service`;
  const owner = user ?? 'root';
  const state = `/var/lib/${unit.one('StateDirectory')}`;
  await machine.sh(
    [
      `install -d --mode=0500 --owner=${owner} ${credentials}`,
      ...unit.all('LoadCredential').map((one) => {
        const [id, path] = one.split(':');
        return `install --mode=0400 --owner=${owner} ${path} ${credentials}/${id}`;
      }),
      `install -d --mode=${unit.one('StateDirectoryMode')} --owner=${owner} ${state}`,
    ].join('\n'),
  );
  const variables = unit
    .all('Environment')
    .flatMap((line) => line.split(' '))
    .map((variable) => variable.replace('%d', credentials));
  const strict = unit.one('ProtectSystem') === 'strict';
  const drop = user
    ? ['setpriv', `--reuid=${user}`, `--regid=${unit.one('Group')}`, '--clear-groups', '--inh-caps=-all']
    : [];
  if (user) drop.push('--bounding-set=-all', '--no-new-privs');
  const hidden = unit.all('InaccessiblePaths').flatMap((line) => line.split(' ').map((path) => path.replace(/^-/, '')));
  if (unit.one('ProtectHome') === 'yes') hidden.push('/root', '/home', '/run/user');
  const environment = [
    'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    ...(user ? [] : ['HOME=/root']),
    ...variables,
  ];
  const output = openSync(log, 'a', 0o600);
  const command = unit.one('ExecStart')!.split(' ');
  const [program, ...args] = [...machine.enter, 'unshare', '--mount', '--propagation=private'];
  const child = spawn(
    program!,
    [...args, 'sh', '-c', PREPARE, 'sh', ...drop, 'env', '-i', ...environment, ...command],
    {
      env: {
        PATH: process.env['PATH'],
        HIDDEN: hidden.join(' '),
        STRICT: strict ? 'yes' : 'no',
        STATE: state,
        MASK: unit.one('UMask') ?? '0022',
      },
      stdio: ['ignore', output, output],
    },
  );
  closeSync(output);
  const end = await untilReady(child, name, log);
  return { pid: child.pid!, log, end };
}
