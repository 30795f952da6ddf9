/** A docker-registry of a test's own, on a free port of a loopback address, with its access log. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createWriteStream } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';

/** The one login that {@link startOwnRegistry} knows when it asks for one. */
export const LOGIN = {
  username: 'author',
  password: 'correct-horse',
  /** bcrypt of the password. */
  htpasswd: 'author:$2b$04$aGE7h/9oO5GoN.vxsvxEKOl./dAeitFBP6K0hslJBCdQxgNZHgfty',
};

export interface OwnRegistry {
  /** `127.0.0.1:PORT`. */
  address: string;
  /** Path of the access log. */
  log: string;
  /** Deletes untagged manifests by `garbage-collect`, as operators of a registry do at night. */
  collectGarbage(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts it, empty, and waits until it answers. */
export async function startOwnRegistry(
  options: { login?: boolean; deletes?: boolean; memory?: boolean } = {},
): Promise<OwnRegistry> {
  const directory = await mkdtemp(join(tmpdir(), 'flightline-test-registry-'));
  const address = `127.0.0.1:${await freePort()}`;
  const passwords = join(directory, 'htpasswd');
  await writeFile(passwords, `${LOGIN.htpasswd}\n`);
  await writeFile(
    join(directory, 'config.json'),
    // JSON is YAML.
    JSON.stringify({
      version: 0.1,
      log: { level: 'warn' },
      storage: {
        filesystem: { rootdirectory: join(directory, 'storage') },
        delete: { enabled: options.deletes ?? true },
      },
      http: { addr: address },
      ...(options.login && { auth: { htpasswd: { realm: 'test', path: passwords } } }),
    }),
  );
  const log = join(directory, 'access.log');
  const child = spawn('docker-registry', ['serve', join(directory, 'config.json')], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  child.stdout.pipe(createWriteStream(log));
  const ended = once(child, 'exit');
  for (let tries = 0; ; tries++) {
    const answer = await fetch(`http://${address}/v2/`).catch(() => null);
    if (answer) break;
    if (tries > 100 || child.exitCode !== null) throw new Error('docker-registry does not answer');
    await new Promise((done) => setTimeout(done, 50));
  }
  return {
    address,
    log,
    collectGarbage: async () => {
      await execa('docker-registry', ['garbage-collect', '--delete-untagged', join(directory, 'config.json')]);
    },
    stop: async () => {
      child.kill();
      await ended;
      await rm(directory, { recursive: true, force: true });
    },
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
