/**
 * Runs a program to its end: arguments as an array, no shell, a clean environment, redacted output, a deadline, and an
 * end when the stage is cancelled. Nothing else spawns programs.
 */
import { createWriteStream, type WriteStream } from 'node:fs';
import { basename } from 'node:path';
import { finished } from 'node:stream/promises';
import { execa } from 'execa';
import { currentTask } from './task.ts';
import { redact } from './redact.ts';
import { watchStall } from './stall.ts';

/** Variables that a program gets from the worker's own environment. */
const PASSED_THROUGH = [
  'PATH',
  'HOME',
  'TMPDIR',
  'LANG',
  'CONTAINERS_CONF',
  'CONTAINERS_STORAGE_CONF',
  'CONTAINERS_REGISTRIES_CONF',
  'XDG_RUNTIME_DIR',
  'HTTP_PROXY',
  'HTTPS_PROXY',
  'NO_PROXY',
  'http_proxy',
  'https_proxy',
  'no_proxy',
  'SSL_CERT_FILE',
  'SSL_CERT_DIR',
  'GOGC',
  'GOMEMLIMIT',
];

/** Bytes of standard output for callers that want it whole; more is an error. */
const MAX_OUTPUT = 64 * 1024 * 1024;
/** Characters of each stream that are kept for messages. */
const TAIL = 8_000;
/** Milliseconds between SIGTERM and SIGKILL. */
const KILL_DELAY = 5_000;

export interface CommandOptions {
  /** Working directory; default `/`, so that nothing depends on where the worker was started. */
  cwd?: string;
  /** Text or bytes for standard input; without it standard input is empty. */
  input?: string | Uint8Array;
  /** Variables added to the clean environment. No secret belongs here. */
  environment?: Record<string, string>;
  /** Milliseconds after which the program is ended; none by default. */
  timeout?: number;
  /** Milliseconds after which a program that neither reads nor writes is ended, as by its timeout; none by default. */
  stall?: number;
  /** File (0600) to which both streams are appended, redacted. */
  logFile?: string;
  /** Called for each line of either stream, redacted. */
  onLine?: (line: string, stream: 'stdout' | 'stderr') => void;
  /** Exit codes that are no error; default `[0]`. */
  okExitCodes?: readonly number[];
  /**
   * Keep standard output whole (up to 64 MiB) in {@link CommandResult.stdout}; default true. False keeps its tail only.
   */
  keepOutput?: boolean;
  /** Aborted when the program is no longer needed: it is ended, and its exit is not an error. */
  end?: AbortSignal;
  /** For removing what a stage made: runs in a cancelled stage too. Default false. */
  cleanUp?: boolean;
}

export interface CommandResult {
  exitCode: number;
  /** Whole (see `keepOutput`) and not redacted, since callers parse it. */
  stdout: string;
  /** The last {@link TAIL} characters, redacted. */
  stderr: string;
}

/** A program that could not be started, ended with a forbidden exit code, or ran out of time. */
export class CommandError extends Error {
  readonly program: string;
  /** `null` when it did not run or was ended by a signal. */
  readonly exitCode: number | null;
  readonly signal: string | null;
  readonly timedOut: boolean;
  /** `true` when the program is not on PATH. */
  readonly notFound: boolean;
  /** Tails of the streams, redacted. */
  readonly stdout: string;
  readonly stderr: string;

  constructor(
    program: string,
    facts: Pick<CommandError, 'exitCode' | 'signal' | 'timedOut' | 'notFound' | 'stdout' | 'stderr'>,
  ) {
    const how = facts.notFound
      ? 'is not installed'
      : facts.timedOut
        ? 'did not end in time'
        : facts.signal
          ? `was ended by ${facts.signal}`
          : `ended with exit code ${facts.exitCode}`;
    const said = lastLines(facts.stderr || facts.stdout, 20);
    super(`${program} ${how}${said ? `: ${said}` : ''}`);
    this.name = 'CommandError';
    this.program = program;
    this.exitCode = facts.exitCode;
    this.signal = facts.signal;
    this.timedOut = facts.timedOut;
    this.notFound = facts.notFound;
    this.stdout = facts.stdout;
    this.stderr = facts.stderr;
  }

  /** Both tails in one text, for classification. */
  get output(): string {
    return `${this.stderr}\n${this.stdout}`;
  }
}

/** Told of each program that is started; what it returns is told its exit code, null when it has none. */
type CommandObserver = (program: string) => (exitCode: number | null) => void;

let observer: CommandObserver | undefined;

/** From now on this process tells `observe` of each program, by name only: arguments may be long or private. */
export function observeCommands(observe: CommandObserver): void {
  observer = observe;
}

/** The last lines of a text that are not blank, joined by line feeds. */
export function lastLines(text: string, count: number): string {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .slice(-count)
    .join('\n');
}

/**
 * Variables that programs get unless the worker's own environment says otherwise. podman and skopeo are written in Go
 * and mostly run for a tenth of a second: with Go's own GOGC of 100 they collect garbage for a quarter of it.
 */
const DEFAULTS = { PODMAN_IGNORE_CGROUPSV1_WARNING: '1', GOGC: '400' };

/** The environment that programs get. */
function cleanEnvironment(added: Record<string, string> = {}): Record<string, string> {
  const environment: Record<string, string> = { ...DEFAULTS };
  for (const name of PASSED_THROUGH) {
    const value = process.env[name];
    if (value !== undefined) environment[name] = value;
  }
  return { ...environment, ...added };
}

/**
 * Runs a program to its end. In a cancelled stage the program gets SIGTERM, then SIGKILL, and the cancellation is
 * thrown, never the exit code. Last lines of output are reported as progress.
 *
 * @throws CommandError when it cannot be started, ends otherwise than allowed, or runs out of time.
 */
export async function runCommand(
  program: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const stage = options.cleanUp ? undefined : currentTask();
  stage?.throwIfCancelled();
  const log = options.logFile ? createWriteStream(options.logFile, { flags: 'a', mode: 0o600 }) : undefined;
  log?.on('error', () => undefined);
  const keepOutput = options.keepOutput ?? true;
  const tails = { stdout: '', stderr: '' };
  const ended = observer?.(basename(program));
  const subprocess = start(program, args, options, stage?.signal);
  const follow = async (stream: 'stdout' | 'stderr') => {
    for await (const raw of subprocess.iterable({ from: stream })) {
      const line = redact(String(raw));
      tails[stream] = `${tails[stream]}${line}\n`.slice(-TAIL);
      log?.write(`${line}\n`);
      options.onLine?.(line, stream);
      if (line.trim() !== '' && !(stream === 'stdout' && keepOutput)) stage?.report({ line });
    }
  };
  const endIt = () => void subprocess.kill();
  if (options.end?.aborted) endIt();
  options.end?.addEventListener('abort', endIt, { once: true });
  let hangs = false;
  const unwatch =
    options.stall === undefined || subprocess.pid === undefined
      ? undefined
      : watchStall(subprocess.pid, options.stall, () => {
          hangs = true;
          subprocess.kill();
        });
  const [result] = await Promise.all([
    subprocess,
    follow('stdout').catch(() => undefined),
    follow('stderr').catch(() => undefined),
  ]);
  ended?.(result.exitCode ?? null);
  unwatch?.();
  options.end?.removeEventListener('abort', endIt);
  await closeLog(log);
  stage?.throwIfCancelled();
  const exitCode = result.exitCode ?? null;
  if (options.end?.aborted) return { exitCode: exitCode ?? 0, stdout: tails.stdout, stderr: tails.stderr };
  if (exitCode === null || !(options.okExitCodes ?? [0]).includes(exitCode) || result.timedOut || hangs) {
    throw new CommandError(program, {
      exitCode,
      signal: result.signal ?? null,
      timedOut: result.timedOut || hangs,
      notFound: result.code === 'ENOENT' && exitCode === null,
      ...tails,
    });
  }
  return { exitCode, stdout: keepOutput ? String(result.stdout) : tails.stdout, stderr: tails.stderr };
}

function start(program: string, args: readonly string[], options: CommandOptions, cancelSignal?: AbortSignal) {
  return execa(program, [...args], {
    cwd: options.cwd ?? '/',
    env: cleanEnvironment(options.environment),
    extendEnv: false,
    ...(options.input === undefined ? { stdin: 'ignore' as const } : { input: options.input }),
    reject: false,
    buffer: { stdout: options.keepOutput ?? true, stderr: false },
    maxBuffer: MAX_OUTPUT,
    stripFinalNewline: false,
    forceKillAfterDelay: KILL_DELAY,
    timeout: options.timeout,
    cancelSignal,
  });
}

async function closeLog(log: WriteStream | undefined): Promise<void> {
  if (!log) return;
  log.end();
  await finished(log).catch(() => undefined);
}
