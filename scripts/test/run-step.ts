import { spawn } from 'node:child_process';

/** So that whoever watches (a person, or a CI system that ends silent jobs) sees that a step still runs. */
const SIGN_OF_LIFE_MS = 45_000;

/** How a step ended. */
export interface StepResult {
  ok: boolean;
  /** Exit code or signal, for the message. */
  ending: string;
  durationMs: number;
}

/**
 * Runs one Node program to its end with its output on this terminal. Ctrl-C reaches it from the terminal; it is left
 * time to end what it started.
 */
export async function runStep(name: string, args: readonly string[], root: string): Promise<StepResult> {
  const start = Date.now();
  const child = spawn(process.execPath, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  const sign = setInterval(() => {
    console.error(`  … ${name} is running (${formatDuration(Date.now() - start)})`);
  }, SIGN_OF_LIFE_MS);
  const forward = (signal: NodeJS.Signals) => child.kill(signal);
  process.on('SIGTERM', forward);
  try {
    const ending = await new Promise<string>((resolve, reject) => {
      child.on('error', reject);
      child.on('exit', (code, signal) => resolve(signal ?? `exit code ${code}`));
    });
    return { ok: ending === 'exit code 0', ending, durationMs: Date.now() - start };
  } finally {
    clearInterval(sign);
    process.off('SIGTERM', forward);
  }
}

/** `3.2 s`, `4 min 10 s`. */
export function formatDuration(milliseconds: number): string {
  const seconds = milliseconds / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
}
