/** A shell on a terminal, into which is typed as a person does. By script(1), which every Linux has. */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';

export interface TerminalOptions {
  cwd: string;
  env: Record<string, string | undefined>;
  columns?: number;
  rows?: number;
  /** What the person sees before each command; default `$ `. */
  prompt?: string;
  /** Milliseconds between two keys; default 0. */
  betweenKeys?: number;
}

/** Some bytes of the screen. */
export interface Shown {
  /** Milliseconds since the terminal was opened. */
  at: number;
  text: string;
}

/** The shell sets the window's title to this before each prompt, which no terminal shows: it tells the exit code. */
const PROMPT = /\]2;prompt (\d+)\W/g;
const LOOK = 50;
const END_WITHIN = 10_000;

export class TypedTerminal {
  /** All that was shown, with what controls the terminal. */
  shown = '';
  /** The same in the pieces in which it came. */
  readonly pieces: Shown[] = [];
  private readonly opened = Date.now();
  private readonly program: ChildProcessWithoutNullStreams;
  private readonly betweenKeys: number;

  constructor({ cwd, env, columns = 100, rows = 30, prompt = '$ ', betweenKeys = 0 }: TerminalOptions) {
    this.betweenKeys = betweenKeys;
    // script(1) starts a shell of its own first, which has its own idea of PS1.
    const shell = `stty cols ${columns} rows ${rows}; PS1=$PROMPT exec bash --noprofile --norc -i`;
    const decoder = new TextDecoder();
    this.program = spawn('script', ['--quiet', '--return', '--command', shell, '/dev/null'], {
      cwd,
      env: {
        ...env,
        TERM: 'xterm-256color',
        INPUTRC: '/dev/null',
        HISTFILE: '',
        PROMPT: `\\[\\e]2;prompt $?\\a\\]${prompt}`,
      } as NodeJS.ProcessEnv,
    });
    this.program.stdin.on('error', () => undefined);
    this.program.stdout.on('data', (bytes: Buffer) => {
      const text = decoder.decode(bytes, { stream: true });
      this.shown += text;
      this.pieces.push({ at: Date.now() - this.opened, text });
    });
  }

  /** Types keys. */
  async type(keys: string): Promise<void> {
    for (const key of keys) {
      this.program.stdin.write(key);
      if (this.betweenKeys > 0) await pause(this.betweenKeys);
    }
  }

  /** Waits until a text is shown after `from` characters. @throws with the end of the screen after `within` ms */
  async shows(wanted: string | RegExp, { from = 0, within = 60_000 } = {}): Promise<void> {
    const isThere = () => {
      const text = this.shown.slice(from);
      return typeof wanted === 'string' ? text.includes(wanted) : wanted.test(text);
    };
    for (const deadline = Date.now() + within; !isThere(); await pause(LOOK)) {
      const ended = this.program.exitCode !== null || this.program.signalCode !== null;
      if (!ended && Date.now() < deadline) continue;
      const why = ended ? 'the terminal has ended' : `not within ${within / 1_000} s`;
      throw new Error(`${String(wanted)} is not shown (${why}):\n${this.shown.slice(-6_000)}`);
    }
  }

  /** Types a command, and waits for its end. @returns its exit code */
  run(command: string, within?: number): Promise<number> {
    return this.typeToPrompt(`${command}\n`, within);
  }

  /** Types keys that end what runs, and waits for the next prompt (ms). @returns the exit code that it tells */
  async typeToPrompt(keys: string, within = 120_000): Promise<number> {
    await this.nextPrompt(0, END_WITHIN);
    const before = this.prompts().length;
    await this.type(keys);
    return this.nextPrompt(before, within);
  }

  /** Ends the shell, and with it what runs in its foreground. */
  async close(): Promise<void> {
    if (this.program.exitCode !== null || this.program.signalCode !== null) return;
    const ended = once(this.program, 'close');
    this.program.kill('SIGTERM');
    await Promise.race([ended, pause(END_WITHIN, undefined, { ref: false })]);
  }

  private async nextPrompt(before: number, within: number): Promise<number> {
    for (const deadline = Date.now() + within; this.prompts().length <= before; await pause(LOOK)) {
      if (Date.now() < deadline && this.program.exitCode === null) continue;
      throw new Error(`no prompt within ${within / 1_000} s:\n${this.shown.slice(-6_000)}`);
    }
    return this.prompts().at(-1)!;
  }

  /** The exit codes that the prompts told so far. */
  private prompts(): number[] {
    return [...this.shown.matchAll(PROMPT)].map(([, code]) => Number(code));
  }
}
