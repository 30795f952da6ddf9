import { chmod, mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findTemporalCli, TemporalCliError } from '../../../../../workers/stack/temporal-cli/temporal-cli.ts';
import {
  parseTemporalVersion,
  TEMPORAL_CLI_VERSION,
  temporalCliCachePath,
} from '../../../../../workers/stack/temporal-cli/temporal-cli-version.ts';

const PROGRAM = '#!/bin/sh\necho "temporal version 9.9.9 (Server 1.0.0, UI 1.0.0)"\n';

let directory: string;
let environment: NodeJS.ProcessEnv;
let server: Server | undefined;

beforeEach(async () => {
  directory = await mkdtemp(path.join(os.tmpdir(), 'flightline-temporal-'));
  environment = { XDG_CACHE_HOME: path.join(directory, 'cache'), PATH: path.join(directory, 'bin') };
  await mkdir(path.join(directory, 'bin'));
});

afterEach(async () => {
  server?.closeAllConnections();
  server?.close();
  server = undefined;
  await rm(directory, { recursive: true, force: true });
});

async function placeProgram(file: string, text = PROGRAM): Promise<string> {
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(file, text);
  await chmod(file, 0o755);
  return file;
}

/** A download service; `archive` undefined: it accepts the question and never answers. */
async function serve(archive: Buffer | undefined): Promise<string> {
  server = createServer((request, response) => {
    if (request.url?.startsWith('/archive')) response.end(archive);
    else if (archive) {
      const address = `http://${request.headers.host}/archive.tar.gz`;
      response.end(JSON.stringify({ archiveUrl: address, fileToExtract: 'temporal' }));
    }
  });
  await new Promise<void>((resolve) => {
    server?.listen(0, '127.0.0.1', resolve);
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/cli`;
}

async function archiveOf(files: Record<string, string>): Promise<Buffer> {
  const archive = pack();
  for (const [name, text] of Object.entries(files)) archive.entry({ name }, text);
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive) chunks.push(chunk as Buffer);
  return gzipSync(Buffer.concat(chunks));
}

test.each([
  ['temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)', '1.5.1'],
  ['temporal version 0.0.0-DEV (Server 1.29.1, UI 2.42.1)', '0.0.0-DEV'],
  ['something else 1.2.3', undefined],
])('version in %s', (output, version) => {
  expect(parseTemporalVersion(output)).toBe(version);
});

test('the cache obeys XDG, but for relative paths', () => {
  const tail = path.join('flightline', `temporal-${TEMPORAL_CLI_VERSION}`, 'temporal');
  expect(temporalCliCachePath({ XDG_CACHE_HOME: '/c', HOME: '/h' })).toBe(path.join('/c', tail));
  expect(temporalCliCachePath({ XDG_CACHE_HOME: 'c', HOME: '/h' })).toBe(path.join('/h/.cache', tail));
});

test('TEMPORAL_CLI_PATH comes first', async () => {
  await placeProgram(path.join(directory, 'bin', 'temporal'));
  const program = await placeProgram(path.join(directory, 'mine'));
  const found = await findTemporalCli({ environment: { ...environment, TEMPORAL_CLI_PATH: program } });
  expect(found).toEqual({ path: program, source: 'TEMPORAL_CLI_PATH', version: '9.9.9' });
});

test('TEMPORAL_CLI_PATH that does not work is an error, not a fall-through', async () => {
  await placeProgram(path.join(directory, 'bin', 'temporal'));
  const looking = findTemporalCli({ environment: { ...environment, TEMPORAL_CLI_PATH: '/nonexistent' } });
  await expect(looking).rejects.toThrow(/TEMPORAL_CLI_PATH is \/nonexistent, which does not run/);
});

test('PATH before the cache; one that does not run is passed over', async () => {
  const cached = await placeProgram(temporalCliCachePath(environment));
  const onPath = await placeProgram(path.join(directory, 'bin', 'temporal'));
  expect(await findTemporalCli({ environment })).toMatchObject({ path: onPath, source: 'PATH' });
  await placeProgram(onPath, '#!/bin/sh\nexit 1\n');
  expect(await findTemporalCli({ environment })).toMatchObject({ path: cached, source: 'cache' });
});

test('a download is put into the cache whole', async () => {
  const downloadService = await serve(await archiveOf({ LICENSE: 'x', temporal: PROGRAM }));
  const cached = temporalCliCachePath(environment);
  const found = await findTemporalCli({ environment, downloadService });
  expect(found).toEqual({ path: cached, source: 'download', version: TEMPORAL_CLI_VERSION });
  expect(await readdir(path.dirname(cached))).toEqual(['temporal']);
  expect(await findTemporalCli({ environment, downloadService })).toMatchObject({ source: 'cache' });
});

test.each([
  ['an archive without the program', async () => archiveOf({ LICENSE: 'x' }), /the archive holds no temporal/],
  ['a program that does not run', async () => archiveOf({ temporal: 'nonsense' }), /does not run as the Temporal CLI/],
  ['no archive', async () => Buffer.from('nonsense'), /download: /],
])('%s is refused and leaves nothing', async (_name, archive, message) => {
  const downloadService = await serve(await archive());
  const looking = findTemporalCli({ environment, downloadService });
  await expect(looking).rejects.toThrow(TemporalCliError);
  await expect(looking).rejects.toThrow(message);
  expect(await readdir(path.dirname(temporalCliCachePath(environment)))).toEqual([]);
});

test('a download that hangs is given up, and the error says how to get the CLI', async () => {
  const downloadService = await serve(undefined);
  const lines: string[] = [];
  const looking = findTemporalCli({
    environment,
    downloadService,
    downloadTimeoutMs: 200,
    report: (line) => lines.push(line),
  });
  await expect(looking).rejects.toThrow(
    /download: it took too long[\s\S]*Go is not installed[\s\S]*docs\.temporal\.io/,
  );
  expect(lines.join('\n')).toContain('giving up after 0.2 s');
});

test('only looking neither downloads nor builds', async () => {
  await expect(findTemporalCli({ environment, mayInstall: false })).rejects.toThrow(/PATH: no program named temporal/);
});

test('go install is the last resort', async () => {
  const downloadService = await serve(Buffer.from('nonsense'));
  await placeProgram(
    path.join(directory, 'bin', 'go'),
    `#!/bin/sh\n[ "$1" = install ] || exit 1\n/bin/cp "${await placeProgram(path.join(directory, 'built'))}" ` +
      '"$GOBIN/temporal"\n',
  );
  const found = await findTemporalCli({ environment, downloadService });
  expect(found).toMatchObject({ source: 'go install', path: temporalCliCachePath(environment) });
});
