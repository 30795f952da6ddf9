import { execFile, spawn } from 'node:child_process';
import { constants, createWriteStream } from 'node:fs';
import { access, chmod, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import { z } from 'zod';

/**
 * The version of the Temporal CLI that is downloaded or built when none is found. Later ones need a module that not
 * every Go proxy serves; this one brings Server 1.29.1 and its Web UI.
 */
export const TEMPORAL_CLI_VERSION = '1.5.1';

/** The SDK's own download service (`@temporalio/testing` asks the same address), and the Go package. */
const DOWNLOAD_SERVICE = 'https://temporal.download/cli';
const GO_PACKAGE = 'github.com/temporalio/cli/cmd/temporal';

const VERSION_TIMEOUT_MS = 10_000;
const BUILD_TIMEOUT_MS = 20 * 60_000;
const PROGRESS_INTERVAL_MS = 20_000;

/** Where a Temporal CLI was found. */
type TemporalCliSource = 'TEMPORAL_CLI_PATH' | 'PATH' | 'cache' | 'download' | 'go install';

/** A Temporal CLI that has answered `--version`. */
interface TemporalCli {
  /** Absolute path of the program. */
  path: string;
  source: TemporalCliSource;
  /** As the program says it, such as `1.5.1`. */
  version: string;
}

/** How to look for the Temporal CLI. */
interface FindTemporalCliOptions {
  /** Read instead of `process.env`: TEMPORAL_CLI_PATH, PATH, XDG_CACHE_HOME, HOME and what Go reads. */
  environment?: NodeJS.ProcessEnv;
  /** Told what takes long: a line of text each. Nothing is told when the CLI is found at once. */
  report?: (line: string) => void;
  /** Time for the whole download; 10 s. Where the internet is out of reach it must not hold up the build. */
  downloadTimeoutMs?: number;
  /** The download service's address; the SDK's own. Tests use one of their own. */
  downloadService?: string;
  /** False: only look, neither download nor build. */
  mayInstall?: boolean;
}

/** No usable Temporal CLI; the message says what was tried and how to get one. */
export class TemporalCliError extends Error {
  override name = 'TemporalCliError';
}

/**
 * Finds the Temporal CLI, whose `server start-dev` is the embedded Temporal server, or gets it: TEMPORAL_CLI_PATH,
 * `temporal` on PATH, the cache, the SDK's download service, `go install`. Each is tried by running it. What is
 * downloaded or built goes to the cache, so that this happens once. Throws TemporalCliError.
 */
export async function findTemporalCli(options: FindTemporalCliOptions = {}): Promise<TemporalCli> {
  const environment = options.environment ?? process.env;
  const report = options.report ?? (() => {});

  const configured = environment['TEMPORAL_CLI_PATH'];
  if (configured) {
    const program = path.resolve(configured);
    const version = await versionOf(program);
    if (version !== undefined) return { path: program, source: 'TEMPORAL_CLI_PATH', version };
    // Falling through would run another program than the one that was asked for.
    throw new TemporalCliError(
      `TEMPORAL_CLI_PATH is ${configured}, which does not run as the Temporal CLI. Correct it, or unset it to let ` +
        'flightline look for the CLI itself.',
    );
  }

  const tried: string[] = [];
  const onPath = await findOnPath('temporal', environment);
  if (onPath !== undefined) {
    const version = await versionOf(onPath);
    if (version !== undefined) return { path: onPath, source: 'PATH', version };
    tried.push(`PATH: ${onPath} does not run as the Temporal CLI`);
  } else {
    tried.push('PATH: no program named temporal');
  }

  const cached = temporalCliCachePath(environment);
  if ((await versionOf(cached)) !== undefined) return { path: cached, source: 'cache', version: TEMPORAL_CLI_VERSION };
  tried.push(`cache: no working ${cached}`);

  if (options.mayInstall ?? true) {
    for (const source of ['download', 'go install'] as const) {
      try {
        const get = source === 'download' ? download : build;
        await placeInCache(cached, (target) => get(target, options));
        // One built by Go calls itself 0.0.0-DEV.
        return { path: cached, source, version: TEMPORAL_CLI_VERSION };
      } catch (error) {
        const reason = reasonOf(error);
        report(`  that did not work: ${reason}`);
        tried.push(`${source}: ${reason}`);
      }
    }
  }
  throw new TemporalCliError(
    `The Temporal CLI, which is the embedded Temporal server, is not there.\n${tried.map((line) => `  ${line}\n`).join('')}` +
      `Install version ${TEMPORAL_CLI_VERSION} or later from https://docs.temporal.io/cli and put it on PATH or name it in ` +
      'TEMPORAL_CLI_PATH; or install Go 1.24 or later (https://go.dev/dl) and run the command again.',
  );
}

/** Where a downloaded or built CLI of the pinned version is kept. */
export function temporalCliCachePath(environment: NodeJS.ProcessEnv = process.env): string {
  const configured = environment['XDG_CACHE_HOME'];
  // The XDG base directory specification: a relative path is to be ignored.
  const base =
    configured && path.isAbsolute(configured) ? configured : path.join(environment['HOME'] ?? os.homedir(), '.cache');
  return path.join(base, 'flightline', `temporal-${TEMPORAL_CLI_VERSION}`, 'temporal');
}

/** The version in what `temporal --version` prints: `temporal version 1.5.1 (Server 1.29.1, UI 2.42.1)`. */
export function parseTemporalVersion(output: string): string | undefined {
  return /^temporal version (\S+)/m.exec(output)?.[1];
}

async function versionOf(program: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(program, ['--version'], { timeout: VERSION_TIMEOUT_MS }, (error, stdout) => {
      resolve(error ? undefined : parseTemporalVersion(stdout));
    });
  });
}

async function findOnPath(name: string, environment: NodeJS.ProcessEnv): Promise<string | undefined> {
  for (const directory of (environment['PATH'] ?? '').split(path.delimiter)) {
    // An empty or relative entry means the current directory, where nobody's CLI belongs.
    if (!path.isAbsolute(directory)) continue;
    const candidate = path.join(directory, name);
    try {
      await access(candidate, constants.X_OK);
      return candidate;
    } catch {
      continue;
    }
  }
  return undefined;
}

/**
 * Lets `get` make the program in a directory of its own, tries it, and moves it into place in one step, so that nobody
 * ever runs half of it.
 */
async function placeInCache(target: string, get: (program: string) => Promise<void>): Promise<void> {
  const directory = path.dirname(target);
  await mkdir(directory, { recursive: true });
  const scratch = await mkdtemp(path.join(directory, '.new-'));
  try {
    const program = path.join(scratch, 'temporal');
    await get(program);
    if ((await versionOf(program)) === undefined) throw new Error('what came does not run as the Temporal CLI');
    await rename(program, target);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

/** What the download service answers. */
const DownloadInfo = z.object({ archiveUrl: z.url({ protocol: /^https?$/ }), fileToExtract: z.string().min(1) });

async function download(program: string, options: FindTemporalCliOptions): Promise<void> {
  const limit = options.downloadTimeoutMs ?? 10_000;
  const service = options.downloadService ?? DOWNLOAD_SERVICE;
  options.report?.(
    `Downloading the Temporal CLI ${TEMPORAL_CLI_VERSION} (the embedded Temporal server) from ${service}; ` +
      `giving up after ${limit / 1000} s …`,
  );
  const architecture = { x64: 'amd64', arm64: 'arm64' }[process.arch as string];
  if (architecture === undefined) throw new Error(`there is none for ${process.arch}`);
  // One signal for the question, the archive and its unpacking: together they get this long.
  const signal = AbortSignal.timeout(limit);
  const address = `${service}/v${TEMPORAL_CLI_VERSION}?arch=${architecture}&platform=${process.platform}&format=tar.gz`;
  const info = DownloadInfo.parse(await (await fetchOk(address, signal)).json());
  if (!info.archiveUrl.startsWith(new URL(service).protocol))
    throw new Error(`${info.archiveUrl} is not to be trusted`);
  const archive = await fetchOk(info.archiveUrl, signal);
  if (!archive.body) throw new Error(`${info.archiveUrl} is empty`);
  const entries = extract();
  let extracted = false;
  const reading = (async () => {
    for await (const entry of entries) {
      if (path.posix.normalize(entry.header.name) === path.posix.normalize(info.fileToExtract)) {
        await pipeline(entry, createWriteStream(program));
        extracted = true;
      } else {
        entry.resume();
      }
    }
  })();
  await Promise.all([pipeline(Readable.fromWeb(archive.body), createGunzip(), entries, { signal }), reading]);
  if (!extracted) throw new Error(`the archive holds no ${info.fileToExtract}`);
  await chmod(program, 0o755);
}

async function fetchOk(address: string, signal: AbortSignal): Promise<Response> {
  const response = await fetch(address, { signal });
  if (!response.ok) throw new Error(`${new URL(address).host} answered ${response.status}`);
  return response;
}

async function build(program: string, options: FindTemporalCliOptions): Promise<void> {
  const environment = options.environment ?? process.env;
  const module = `${GO_PACKAGE}@v${TEMPORAL_CLI_VERSION}`;
  const go = await findOnPath('go', environment);
  if (go === undefined) throw new Error('Go is not installed');
  options.report?.(
    `Building the Temporal CLI ${TEMPORAL_CLI_VERSION} with "go install ${module}"; once, in 3 to 6 minutes on 2 cores …`,
  );
  const start = Date.now();
  const progress = setInterval(() => {
    options.report?.(`  still building the Temporal CLI (${Math.round((Date.now() - start) / 1000)} s)`);
  }, PROGRESS_INTERVAL_MS);
  try {
    // Without cgo no C compiler is needed.
    await goInstall(go, module, { CGO_ENABLED: '0', ...environment, GOBIN: path.dirname(program) });
  } finally {
    clearInterval(progress);
  }
  options.report?.(`Temporal CLI built in ${Math.round((Date.now() - start) / 1000)} s.`);
}

/** Runs `go install`; its last lines are in the error. */
async function goInstall(go: string, module: string, environment: NodeJS.ProcessEnv): Promise<void> {
  // Elsewhere than in a Go module, whose go.mod could change what is built.
  const child = spawn(go, ['install', module], {
    cwd: path.parse(go).root,
    env: environment,
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: BUILD_TIMEOUT_MS,
  });
  let tail = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    tail = (tail + text).slice(-2000);
  });
  const end = await new Promise<string>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve(signal ?? String(code)));
  });
  if (end === '0') return;
  const lines = tail.split('\n').filter((line) => line !== '' && !line.startsWith('go: downloading'));
  throw new Error(`go install ended with ${end}: ${lines.slice(-5).join('\n    ')}`);
}

/** The reason in one sentence: fetch hides it in `cause`, and a timeout says only that it was one. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError' || error.name === 'AbortError') return 'it took too long';
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
}
