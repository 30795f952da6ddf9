/** Joins conmon's entries to lines. Pure. */
import { cutRedacted } from '../../process/redact.ts';

/** A longer line (characters) is split and redacted, since a secret may be on both sides of the split. */
const MAX_LINE = 64 * 1024;

/** A whole line of a container. */
export interface ContainerLine {
  stream: 'stdout' | 'stderr';
  text: string;
}

const ENTRY = /^\S+ (stdout|stderr) ([FP])(?: (.*))?$/s;

/**
 * Joins conmon's entries to lines: `<time> stdout F text` ends a line, `P` is a part of one (conmon's `ctr_logging.c`).
 * The streams are joined apart from each other.
 */
export class LineJoiner {
  private rest = '';
  private readonly parts = { stdout: '', stderr: '' };

  /** The lines that this text completes. */
  add(text: string): ContainerLine[] {
    const entries = (this.rest + text).split('\n');
    this.rest = entries.pop() ?? '';
    const lines: ContainerLine[] = [];
    for (const entry of entries) {
      const match = ENTRY.exec(entry);
      if (!match) continue;
      const stream = match[1] as 'stdout' | 'stderr';
      const whole = this.parts[stream] + (match[3] ?? '');
      const ends = match[2] === 'F';
      if (!ends && whole.length <= MAX_LINE) {
        this.parts[stream] = whole;
        continue;
      }
      const { piece, rest } = ends ? { piece: whole, rest: '' } : cutRedacted(whole);
      this.parts[stream] = rest;
      // osbuild redraws some lines with carriage returns. The last state counts.
      lines.push({ stream, text: piece.trimEnd().replace(/^.*\r/s, '') });
    }
    return lines;
  }

  /** The incomplete lines, when nothing more will come. */
  end(): ContainerLine[] {
    const lines = (['stdout', 'stderr'] as const)
      .filter((stream) => this.parts[stream] !== '')
      .map((stream) => ({ stream, text: this.parts[stream] }));
    this.parts.stdout = '';
    this.parts.stderr = '';
    return lines;
  }
}
