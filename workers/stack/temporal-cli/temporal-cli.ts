import path from 'node:path';
import { TEMPORAL_CLI_VERSION, temporalCliCachePath } from './temporal-cli-version.ts';
import {
  versionOf,
  type TemporalCliOptions,
  build,
  download,
  placeInCache,
  findOnPath,
} from './temporal-cli-install.ts';

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

/** No usable Temporal CLI; the message says what was tried and how to get one. */
export class TemporalCliError extends Error {
  override name = 'TemporalCliError';
}

/**
 * Finds the Temporal CLI, whose `server start-dev` is the embedded Temporal server, or gets it: TEMPORAL_CLI_PATH,
 * `temporal` on PATH, the cache, the SDK's download service, `go install`. Each is tried by running it. What is
 * downloaded or built goes to the cache, so that this happens once. Throws TemporalCliError.
 */
export async function findTemporalCli(options: TemporalCliOptions = {}): Promise<TemporalCli> {
  const environment = options.environment ?? process.env;
  const report = options.report ?? (() => {});

  const configured = environment['TEMPORAL_CLI_PATH'];
  if (configured) {
    const program = path.resolve(configured);
    const version = await versionOf(program);
    if (version !== undefined) return { path: program, source: 'TEMPORAL_CLI_PATH', version };
    // Otherwise another program would run than the one the user asked for.
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
    'The Temporal CLI, which is the embedded Temporal server, is not there.\n' +
      tried.map((line) => `  ${line}\n`).join('') +
      `Install version ${TEMPORAL_CLI_VERSION} or later from https://docs.temporal.io/cli and put it on PATH ` +
      'or name it ' +
      'in TEMPORAL_CLI_PATH; or install Go 1.24 or later (https://go.dev/dl) and run the command again.',
  );
}

/** The reason in one sentence: fetch hides it in `cause`, and a timeout says only that it was one. */
function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === 'TimeoutError' || error.name === 'AbortError') return 'it took too long';
  return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
}
