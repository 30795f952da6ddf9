/** Gets the Temporal CLI: downloads it, or builds it. */
import { execFile, spawn } from 'node:child_process';
import { constants, createWriteStream } from 'node:fs';
import { access, chmod, mkdir, rename } from 'node:fs/promises';
import path from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { extract } from 'tar-stream';
import { z } from 'zod';
import { withTemporaryDirectory } from '../../../activities/tools/temporary-directory.ts';
import { TEMPORAL_CLI_VERSION, parseTemporalVersion } from './temporal-cli-version.ts';

/** The SDK's own download service (`@temporalio/testing` asks the same address), and the Go package. */
const DOWNLOAD_SERVICE = 'https://temporal.download/cli';

const GO_PACKAGE = 'github.com/temporalio/cli/cmd/temporal';

const VERSION_TIMEOUT_MS = 10_000;

const BUILD_TIMEOUT_MS = 20 * 60_000;

const PROGRESS_INTERVAL_MS = 20_000;

export async function versionOf(program: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    execFile(program, ['--version'], { timeout: VERSION_TIMEOUT_MS }, (error, stdout) => {
      resolve(error ? undefined : parseTemporalVersion(stdout));
    });
  });
}

export async function findOnPath(name: string, environment: NodeJS.ProcessEnv): Promise<string | undefined> {
  for (const directory of (environment['PATH'] ?? '').split(path.delimiter)) {
    // An empty or relative entry means the current directory, which must not decide what runs.
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
export async function placeInCache(target: string, get: (program: string) => Promise<void>): Promise<void> {
  const directory = path.dirname(target);
  await mkdir(directory, { recursive: true });
  const make = async (scratch: string) => {
    const program = path.join(scratch, 'temporal');
    await get(program);
    if ((await versionOf(program)) === undefined) throw new Error('what came does not run as the Temporal CLI');
    await rename(program, target);
  };
  await withTemporaryDirectory('.new-', make, directory);
}

/** What the download service answers. */
const DownloadInfo = z.object({ archiveUrl: z.url({ protocol: /^https?$/ }), fileToExtract: z.string().min(1) });

export async function download(program: string, options: TemporalCliOptions): Promise<void> {
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

export async function build(program: string, options: TemporalCliOptions): Promise<void> {
  const environment = options.environment ?? process.env;
  const module = `${GO_PACKAGE}@v${TEMPORAL_CLI_VERSION}`;
  const go = await findOnPath('go', environment);
  if (go === undefined) throw new Error('Go is not installed');
  options.report?.(
    `Building the Temporal CLI ${TEMPORAL_CLI_VERSION} with "go install ${module}"; ` +
      'once, in 3 to 6 minutes on 2 cores …',
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

/** How to look for the Temporal CLI. */
export interface TemporalCliOptions {
  /** Read instead of `process.env`: TEMPORAL_CLI_PATH, PATH, XDG_CACHE_HOME, HOME and what Go reads. */
  environment?: NodeJS.ProcessEnv;
  /** Called with a line of text for each step that takes long. Not called when the CLI is found at once. */
  report?: (line: string) => void;
  /** Time for the whole download; 10 s. Where the internet is out of reach it must not hold up the build. */
  downloadTimeoutMs?: number;
  /** The download service's address; the SDK's own. Tests use one of their own. */
  downloadService?: string;
  /** False: only look, neither download nor build. */
  mayInstall?: boolean;
}
