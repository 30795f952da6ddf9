/** The gate before tags move: closed until a person opens it for exactly what is to be tagged. */
import { defineUpdate } from '@temporalio/workflow';
import { z } from 'zod';
import { DECIDE_UPDATE, Decision, type Approval, type Decided } from '../model/release/approval.ts';
import { failureOf, type Failure } from '../model/release/failure.ts';
import { toTemporalFailure } from './failure.ts';

/** Approves or rejects. */
export const decideUpdate = defineUpdate<Decided, [Decision]>(DECIDE_UPDATE);

/** What a person said, or was asked. */
export class ApprovalGate {
  /** Who approved what is being tagged; null when nobody did. */
  approval: Approval | null = null;
  private readonly reference: string;
  /** What is to be tagged, as far as a person was asked about it. */
  private subject: string | null = null;
  private approved: string | null = null;
  private rejection: Approval | null = null;

  constructor(reference: string) {
    this.reference = reference;
  }

  /** `true` while a person's word is waited for. */
  get waits(): boolean {
    return this.subject !== null && this.subject !== this.approved && this.rejection === null;
  }

  /**
   * Asks for a subject, the digests that are to be tagged: an approval is for these and no others. Answers why it may not go on: a
   * failure of the kind `approval-needed`, or `rejected`; null when it may.
   */
  ask(subject: string): Failure | null {
    const { reference, rejection } = this;
    if (rejection) {
      const comment = rejection.comment === '' ? '' : `: ${rejection.comment}`;
      return failureOf('rejected', `${rejection.by} rejected ${reference}${comment}`, { stage: 'tag' });
    }
    this.subject = subject;
    if (this.approved === subject) return null;
    this.approval = null;
    return failureOf('approval-needed', `${reference} is verified, and waits for approval: no tag has moved`, {
      stage: 'tag',
    });
  }

  /** Nothing is waited for any more: the workflow ends. */
  close(): void {
    this.subject = null;
  }

  /** Runs before an update is accepted; throws what refuses it. */
  check(input: Decision): void {
    const parsed = Decision.safeParse(input);
    const failure = !parsed.success
      ? failureOf('invalid-input', z.prettifyError(parsed.error))
      : this.waits
        ? null
        : failureOf('invalid-input', `${this.reference} does not wait for approval`, {
            remedy: 'look at it with `flightline status RELEASE`',
          });
    if (failure) throw toTemporalFailure(failure, failure);
  }

  /** Takes a person's word. */
  decide({ decision, by, comment }: Decision): Decided {
    const word = { by, comment, at: new Date().toISOString() };
    if (decision === 'reject') this.rejection = word;
    else {
      this.approval = word;
      this.approved = this.subject;
    }
    return { reference: this.reference };
  }
}
