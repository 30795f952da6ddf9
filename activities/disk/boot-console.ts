/** The serial console of a machine that boots: followed in its file, searched, and written to the stage's log. */
import { open } from 'node:fs/promises';
import { redact } from '../tools/process/redact.ts';
import type { CappedLog } from '../tools/process/capped-log.ts';

/** Bytes read at a time; a console has some hundred kilobytes. */
const CHUNK = 256 * 1024;
/** Characters kept to search in: what is looked for may come in two pieces, with colours between. */
const KEPT = 16_000;

const ESCAPE = String.fromCodePoint(27);
const BELL = String.fromCodePoint(7);
/** ECMA-48: commands to the terminal (titles, colours), control sequences, then single characters, as firmware and systemd write them. */
const SEQUENCES = new RegExp(
  `${ESCAPE}(?:\\][^${BELL}${ESCAPE}\n]*(?:${BELL}|${ESCAPE}\\\\)|\\[[\\d;?=]*[ -/]*[@-~]|[()][\\w]|[@-Z\\\\^_=>78])`,
  'g',
);
const CONTROL = /(?![\n\t])\p{Cc}/gu;

/** Text as a terminal would leave it, without colours and cursor movements. Pure. */
export function plainConsole(text: string): string {
  return text.replace(SEQUENCES, '').replace(CONTROL, '');
}

/** Follows a console file from its beginning. */
export class BootConsole {
  private readonly path: string;
  private readonly log: CappedLog;
  private readonly decoder = new TextDecoder();
  private offset = 0;
  private recent = '';
  private line = '';
  /** The last line with text in it, redacted. */
  lastLine = '';

  constructor(path: string, log: CappedLog) {
    this.path = path;
    this.log = log;
  }

  /** Bytes read so far. */
  get size(): number {
    return this.offset;
  }

  /** Takes in what is new. */
  async read(): Promise<void> {
    const file = await open(this.path, 'r').catch(() => undefined);
    if (!file) return;
    try {
      const buffer = Buffer.alloc(CHUNK);
      for (;;) {
        const { bytesRead } = await file.read(buffer, 0, CHUNK, this.offset);
        if (bytesRead === 0) return;
        this.offset += bytesRead;
        this.take(this.decoder.decode(buffer.subarray(0, bytesRead), { stream: true }));
      }
    } finally {
      await file.close();
    }
  }

  /** Whether a text has appeared in what was read lately. */
  has(text: string): boolean {
    return this.recent.includes(text) || plainConsole(this.recent).includes(text);
  }

  /** Writes what stands on the last line, which no line feed ends: a prompt. */
  end(): void {
    if (plainConsole(this.line).trim() !== '') this.write(this.line);
    this.line = '';
  }

  private take(text: string): void {
    this.recent = (this.recent + text).slice(-KEPT);
    const lines = (this.line + text).split('\n');
    this.line = lines.pop()!.slice(-KEPT);
    for (const line of lines) this.write(line);
  }

  private write(text: string): void {
    const line = redact(plainConsole(text)).trimEnd();
    this.log.write(line);
    if (line.trim() !== '') this.lastLine = line;
  }
}
