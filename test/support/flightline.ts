/** Runs the built command, as a user does: `node dist/client/main.js …`. */
import { join } from 'node:path';
import { execa } from 'execa';
import { ReleaseRecord } from '../../model/release/record.ts';
import { checkDocument } from './documents.ts';

export const ROOT = join(import.meta.dirname, '../..');
export const COMMAND = join(ROOT, 'dist/client/main.js');

/** What a run of the command gave. */
export interface CommandOutcome {
  exitCode: number;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  environment: Record<string, string>;
  cwd?: string;
  /** Milliseconds; default four minutes. */
  timeout?: number;
}

/** Starts the command; the caller waits for it or ends it. */
export function startFlightline(args: readonly string[], options: RunOptions) {
  return execa(process.execPath, [COMMAND, ...args], {
    cwd: options.cwd ?? '/',
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...options.environment },
    extendEnv: false,
    stdin: 'ignore',
    reject: false,
    timeout: options.timeout ?? 240_000,
  });
}

/** Runs the command to its end. */
export async function runFlightline(args: readonly string[], options: RunOptions): Promise<CommandOutcome> {
  const result = await startFlightline(args, options);
  const stdout = String(result.stdout);
  if (args.includes('--json') && stdout !== '') await checkDocument(args, stdout);
  return { exitCode: result.exitCode ?? -1, stdout, stderr: String(result.stderr) };
}

/** The record that a command printed with `--json`. Fails with all of its output when it printed none. */
export function recordFrom(outcome: CommandOutcome): ReleaseRecord {
  try {
    return ReleaseRecord.parse(JSON.parse(outcome.stdout));
  } catch (error) {
    throw new Error(
      `no record on stdout (exit code ${outcome.exitCode}): ${String(error)}\n${outcome.stdout}\n${outcome.stderr}`,
      { cause: error },
    );
  }
}
