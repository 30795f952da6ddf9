/** A program whose standard input and output are this terminal's, character by character: a serial console. */
import { spawn } from 'node:child_process';
import { isatty } from 'node:tty';

/** How a machine ended. */
export type MachineEnd =
  /** The guest switched itself off. */
  | { kind: 'off' }
  /** A person, or a signal, ended it. */
  | { kind: 'left' }
  /** It printed nothing for a while, and was ended. */
  | { kind: 'silent' }
  | { kind: 'failed'; said: string; printed: boolean };

/** Ctrl-], as telnet and `virsh console` have it. */
const LEAVE = 0x1d;
/** Milliseconds in which firmware prints something. */
const SILENCE = 10_000;
/** Milliseconds that QEMU gets to end in order. */
const GRACE = 3_000;

/**
 * Runs a machine to its end. Ctrl-C and all other keys but Ctrl-] are the guest's.
 *
 * @param where.directory for what the guest writes
 * @param where.mayBeSilent a machine that prints nothing is waited for
 */
export async function runWithConsole(
  program: string,
  args: readonly string[],
  where: { directory: string; mayBeSilent: boolean },
  signal: AbortSignal,
): Promise<MachineEnd> {
  // In a group of its own: what this terminal sends to its own does not end it beside this command.
  const machine = spawn(program, args, {
    stdio: ['pipe', 'pipe', 'pipe'],
    detached: true,
    env: { ...process.env, TMPDIR: where.directory },
  });
  const kill = () => void machine.kill('SIGKILL');
  process.once('exit', kill);
  let ending: 'left' | 'silent' | undefined;
  let said = '';
  let printed = false;
  const end = (why: 'left' | 'silent') => {
    ending ??= why;
    machine.kill('SIGTERM');
    setTimeout(kill, GRACE).unref();
  };
  const leave = () => end('left');
  const quiet = where.mayBeSilent ? undefined : setTimeout(() => end('silent'), SILENCE);
  machine.stdout.on('data', (bytes: Buffer) => {
    clearTimeout(quiet);
    printed = true;
    process.stdout.write(bytes);
  });
  machine.stderr.on('data', (bytes: Buffer) => (said = `${said}${bytes.toString()}`.slice(-2_000)));
  // It may end while something is typed.
  machine.stdin.on('error', () => undefined);
  const type = (bytes: Buffer) => {
    const at = bytes.indexOf(LEAVE);
    machine.stdin.write(at < 0 ? bytes : bytes.subarray(0, at));
    if (at >= 0) leave();
  };
  signal.addEventListener('abort', leave, { once: true });
  const release = takeKeys(type);
  try {
    const code = await new Promise<number | null>((settle, reject) => {
      machine.once('error', reject);
      machine.once('close', settle);
    });
    if (ending) return { kind: ending };
    return code === 0 ? { kind: 'off' } : { kind: 'failed', said: said.trim() || `exit code ${code}`, printed };
  } finally {
    clearTimeout(quiet);
    signal.removeEventListener('abort', leave);
    process.off('exit', kill);
    release();
  }
}

/** Takes what is typed, without the terminal's own meaning of a key. Returns what gives it back. */
function takeKeys(type: (bytes: Buffer) => void): () => void {
  const isTerminal = isatty(0);
  if (isTerminal) process.stdin.setRawMode(true);
  process.stdin.on('data', type);
  process.stdin.resume();
  return () => {
    process.stdin.off('data', type);
    process.stdin.pause();
    if (isTerminal) process.stdin.setRawMode(false);
  };
}
