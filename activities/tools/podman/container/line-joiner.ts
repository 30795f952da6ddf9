/** Joins what conmon writes to lines. Pure. */
import { cutRedacted } from '../../process/redact.ts';

/** A line longer than this (characters) is given out in pieces, redacted: a secret may stand across their border. */
const MAX_LINE = 64 * 1024;

/** One line of a container, whole. */
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

  /** The lines that are whole with this text. */
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
      // osbuild redraws some lines with carriage returns: the last state counts.
      lines.push({ stream, text: piece.trimEnd().replace(/^.*\r/s, '') });
    }
    return lines;
  }

  /** What was begun and not ended, when nothing more will come. */
  end(): ContainerLine[] {
    const lines = (['stdout', 'stderr'] as const)
      .filter((stream) => this.parts[stream] !== '')
      .map((stream) => ({ stream, text: this.parts[stream] }));
    this.parts.stdout = '';
    this.parts.stderr = '';
    return lines;
  }
}
