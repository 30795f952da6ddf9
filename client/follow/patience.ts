/** Asking somebody who may go away for any time, and come back. */
import { isUnavailable, UserError } from '../terminal/errors.ts';
import { interruptible } from '../terminal/pause.ts';

/** Remembers who does not answer, so that it is reported once, and once more when they are back. */
export class Patience {
  private readonly note: (text: string) => void;
  private readonly what: string;
  private readonly signal: AbortSignal;
  private readonly away = new Set<string>();

  /** `what` goes on meanwhile: `the release`. */
  constructor(what: string, note: (text: string) => void, signal: AbortSignal) {
    this.note = note;
    this.what = what;
    this.signal = signal;
  }

  /**
   * What somebody answers; undefined while they do not.
   *
   * @param passing kinds of errors that pass by themselves, beside Temporal's absence
   * @throws Interrupted when the signal is aborted, and whatever does not pass by itself
   */
  async ask<Answer>(
    who: string,
    question: () => Promise<Answer>,
    passing: readonly string[] = [],
  ): Promise<Answer | undefined> {
    try {
      const answer = await interruptible(question(), this.signal);
      if (this.away.delete(who)) this.note(`${who} answers again`);
      return answer;
    } catch (error) {
      const passes = isUnavailable(error) || (error instanceof UserError && passing.includes(error.kind));
      if (!passes) throw error;
      if (!this.away.has(who)) {
        this.note(`${who} does not answer; ${this.what} goes on without this command, which keeps trying`);
      }
      this.away.add(who);
      return undefined;
    }
  }
}
