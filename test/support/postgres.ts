/** A PostgreSQL of one test: the machine's program, a directory and a port of its own. */
import { spawn } from 'node:child_process';
import { chown, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { stopped } from './stopped.ts';
import { eventually } from './wait.ts';

/** Needs no password: nothing but the loopback address reaches the server. */
export const DATABASE_USER = 'temporal';

/** Starts one. Returns what ends it. */
export async function startPostgres(directory: string, port: number): Promise<() => Promise<void>> {
  const [version] = (await readdir('/usr/lib/postgresql').catch(() => [])).toSorted((one, other) => +other - +one);
  if (version === undefined) throw new Error("PostgreSQL is not there: install Debian's package postgresql");
  const program = (name: string) => `/usr/lib/postgresql/${version}/bin/${name}`;
  // It does not run as root.
  const idOf = async (flag: string) => Number((await execa('id', [flag, 'postgres'])).stdout);
  const account = { uid: await idOf('-u'), gid: await idOf('-g') };
  await mkdir(directory);
  await chown(directory, account.uid, account.gid);
  await execa('chmod', ['o+x', join(directory, '..')]);
  const data = join(directory, 'data');
  const options = { ...account, cwd: directory };
  await execa(program('initdb'), ['-D', data, '-U', DATABASE_USER, '--auth=trust', '--no-sync'], options);
  const settings = { port, listen_addresses: '127.0.0.1', unix_socket_directories: '' };
  const args = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
  const server = spawn(program('postgres'), ['-D', data, ...args], { ...options, stdio: 'ignore' });
  await eventually('PostgreSQL answers', async () =>
    (await ask(port, 'select 1').catch(() => '')) === '1' ? true : undefined,
  );
  return () => stopped(server, 'SIGINT');
}

/** One value of its database `postgres`. */
export async function ask(port: number, sql: string): Promise<string> {
  const at = ['-h', '127.0.0.1', '-p', String(port), '-U', DATABASE_USER, '-d', 'postgres'];
  return (await execa('psql', [...at, '-At', '-c', sql])).stdout;
}
