/** Reads the serial console of a booting machine from its file, searches it, and writes it to the stage's log. */
import { open } from 'node:fs/promises';
import { cutRedacted, redact } from '../tools/process/redact.ts';
import type { CappedLog } from '../tools/process/capped-log.ts';

/** Bytes read at a time. A console has a few hundred kilobytes. */
const CHUNK = 256 * 1024;
/**
 * Characters that are kept for the search, since the expected text may come in pieces with colours between them. Also
 * the longest line of the log.
 */
const KEPT = 16_000;

const ESCAPE = String.fromCodePoint(27);
const BELL = String.fromCodePoint(7);
/**
 * ECMA-48 as firmware and systemd write it: commands to the terminal (titles, colours), control sequences, single
 * characters.
 */
const SEQUENCES = new RegExp(
  `${ESCAPE}(?:\\][^${BELL}${ESCAPE}\n]*(?:${BELL}|${ESCAPE}\\\\)|\\[[\\d;?=]*[ -/]*[@-~]|[()][\\w]|[@-Z\\\\^_=>78])`,
  'g',
);
const CONTROL = /(?![\n\t])\p{Cc}/gu;

/** Text without colours and cursor movements, as a terminal shows it. Pure. */
function plainConsole(text: string): string {
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
  /** The last line that has text, redacted. */
  lastLine = '';

  constructor(path: string, log: CappedLog) {
    this.path = path;
    this.log = log;
  }

  /** Bytes read so far. */
  get size(): number {
    return this.offset;
  }

  /** Reads what is new. */
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

  /** `true` when the text has appeared recently. */
  has(text: string): boolean {
    return this.recent.includes(text) || plainConsole(this.recent).includes(text);
  }

  /** Writes the last line, which has no line feed yet: a prompt. */
  end(): void {
    if (plainConsole(this.line).trim() !== '') this.write(this.line);
    this.line = '';
  }

  private take(text: string): void {
    this.recent = (this.recent + text).slice(-KEPT);
    const lines = (this.line + text).split('\n');
    this.line = lines.pop()!;
    for (const line of lines) this.write(line);
    if (this.line.length <= KEPT) return;
    // A line without end goes out in pieces, never through the middle of a secret.
    const { piece, rest } = cutRedacted(this.line);
    this.write(piece);
    this.line = rest;
  }

  private write(text: string): void {
    const line = redact(plainConsole(text)).trimEnd();
    this.log.write(line);
    if (line.trim() !== '') this.lastLine = line;
  }
}
