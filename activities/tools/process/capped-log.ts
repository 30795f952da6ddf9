/** A stage's log: mode 0600, of limited length. A longer log keeps its beginning and its end. */
import { createWriteStream, type WriteStream } from 'node:fs';
import { finished } from 'node:stream/promises';

/** Bytes of a log (64 MiB). osbuild's has some hundred kilobytes; an endless RUN must not fill the disk. */
const LIMIT = 64 * 1024 * 1024;
/** Lines that are kept for a failure's message, and for the end of a shortened log. */
const TAIL_LINES = 200;

/** Writes lines to a file up to the limit, and remembers the last ones. */
export class CappedLog {
  readonly path: string;
  private readonly stream: WriteStream;
  private readonly limit: number;
  private readonly last: string[] = [];
  private written = 0;
  private left = 0;

  /** `flags`: `a` appends, `w` starts an empty log. */
  constructor(path: string, flags: 'a' | 'w', limit = LIMIT) {
    this.path = path;
    this.limit = limit;
    this.stream = createWriteStream(path, { flags, mode: 0o600 });
    // A failure to write the log must not end the work.
    this.stream.on('error', () => undefined);
  }

  write(line: string): void {
    this.last.push(line);
    if (this.last.length > TAIL_LINES) this.last.shift();
    const text = `${line}\n`;
    const size = Buffer.byteLength(text);
    if (this.left > 0 || this.written + size > this.limit) {
      this.left++;
      return;
    }
    this.written += size;
    this.stream.write(text);
  }

  /** The last lines, at most `count` of at most 200. */
  tail(count: number): string[] {
    return this.last.slice(-count);
  }

  async close(): Promise<void> {
    if (this.left > 0) {
      const kept = this.last.slice(-this.left);
      this.stream.write(`… ${this.left - kept.length} lines are left out here: the log is too long …\n`);
      this.stream.write(`${kept.join('\n')}\n`);
    }
    this.stream.end();
    await finished(this.stream).catch(() => undefined);
  }
}
