/** Grype for long tests, built by Go, and a database of one vulnerability for it. */
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { homedir, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { execa } from 'execa';

const MODULE = 'github.com/anchore/grype';
const VERSION = 'v0.121.2';
/** Another one for another database.go. */
const CACHE = join(homedir(), `.cache/flightline/grype-${VERSION.slice(1)}-1`);

/** Builds Grype, and what writes its database, once: takes ten minutes and more. Returns their paths. */
export async function grypePrograms(): Promise<{ grype: string; writer: string }> {
  const programs = { grype: join(CACHE, 'grype'), writer: join(CACHE, 'writer') };
  if (existsSync(CACHE)) return programs;
  const draft = `${CACHE}.${process.pid}`;
  await mkdir(draft, { recursive: true });
  await copyFile(join(import.meta.dirname, 'database.go'), join(draft, 'main.go'));
  const go = (...args: string[]) =>
    execa('go', args, { cwd: draft, env: { CGO_ENABLED: '0', GOFLAGS: '-mod=mod' }, timeout: 60 * 60_000 });
  await go('mod', 'init', 'example.com/writer');
  await go('get', `${MODULE}/cmd/grype@${VERSION}`);
  await go('build', '-ldflags=-s -w', '-o', 'grype', `${MODULE}/cmd/grype`);
  await go('build', '-ldflags=-s -w', '-o', 'writer', '.');
  await rename(draft, CACHE);
  return programs;
}

/** Where a database is to be had, as its maker offers it. */
export interface GrypeDatabase {
  /** For GRYPE_DB_UPDATE_URL. */
  url: string;
  stop(): Promise<void>;
}

/** Offers a database on this machine in which a package of Debian 13 has one vulnerability. */
export async function offerDatabase(
  writer: string,
  { id, severity, name, fixed }: { id: string; severity: string; name: string; fixed: string },
): Promise<GrypeDatabase> {
  const directory = await mkdtemp(join(tmpdir(), 'flightline-grype-'));
  await execa(writer, [directory, id, severity, name, fixed]);
  const server = createServer((request, response) => {
    const file = join(directory, basename(new URL(request.url!, 'http://localhost').pathname));
    readFile(file).then(
      (bytes) => response.end(bytes),
      () => response.writeHead(404).end(),
    );
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/latest.json`,
    stop: async () => {
      server.close();
      server.closeAllConnections();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
