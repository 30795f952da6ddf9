/** The gate before tags move: closed until a person opens it for exactly what is to be tagged. */
import { defineUpdate } from '@temporalio/workflow';
import { z } from 'zod';
import { DECIDE_UPDATE, Decision, type Approval, type Decided } from '../model/release/approval.ts';
import { failureOf, type Failure } from '../model/failure/failure.ts';
import { toTemporalFailure } from './failure.ts';

/** Approves or rejects. */
export const decideUpdate = defineUpdate<Decided, [Decision]>(DECIDE_UPDATE);

/** What a person was asked, and what they said. Plain data; only the functions below change it. */
export interface ApprovalGate {
  /** `repository:tag` */
  readonly reference: string;
  /**
   * What a person is asked about: all that is to be tagged, and the digests that they see. Null when nobody is asked.
   */
  asked: { subject: string; digests: readonly string[] } | null;
  /** The subject that was approved last. */
  approved: string | null;
  /** Who approved what is being tagged; null when nobody did. */
  approval: Approval | null;
  rejection: Approval | null;
}

/** A gate that nobody was asked about yet. */
export function closedGate(reference: string): ApprovalGate {
  return { reference, asked: null, approved: null, approval: null, rejection: null };
}

/** `true` while the release waits for a person. */
export function waitsForWord({ asked, approved, rejection }: ApprovalGate): boolean {
  return asked !== null && asked.subject !== approved && rejection === null;
}

/**
 * Asks for approval of exactly what is to be tagged. Returns null when it is approved, otherwise a failure of the kind
 * `approval-needed` or `rejected`.
 *
 * @param digests of the image, then of each disk: what a person sees, and decides on
 * @param why in words, where not every release of the project is asked about
 */
export function askApproval(
  gate: ApprovalGate,
  subject: string,
  digests: readonly string[],
  why?: string,
): Failure | null {
  const { reference, rejection } = gate;
  if (rejection) {
    const comment = rejection.comment === '' ? '' : `: ${rejection.comment}`;
    return failureOf('rejected', `${rejection.by} rejected ${reference}${comment}`, { stage: 'tag' });
  }
  gate.asked = { subject, digests };
  if (gate.approved === subject) return null;
  Object.assign(gate, { approved: null, approval: null } satisfies Partial<ApprovalGate>);
  const reason = why === undefined ? 'no tag has moved' : `${why}; no tag has moved`;
  return failureOf('approval-needed', `${reference} is verified, and waits for approval: ${reason}`, { stage: 'tag' });
}

/** Validates an update. @throws when nothing waits for approval, or the person saw other digests. */
export function checkDecision(gate: ApprovalGate, input: Decision): void {
  const refusal = refusalOfDecision(gate, input);
  if (refusal) throw toTemporalFailure(refusal, refusal);
}

/** Applies a validated decision. */
export function takeDecision(gate: ApprovalGate, { decision, by, comment }: Decision): Decided {
  const word = { by, comment, at: new Date().toISOString() };
  if (decision === 'reject') gate.rejection = word;
  else {
    gate.approval = word;
    gate.approved = gate.asked?.subject ?? null;
  }
  return { reference: gate.reference };
}

function refusalOfDecision(gate: ApprovalGate, input: Decision): Failure | null {
  const parsed = Decision.safeParse(input);
  if (!parsed.success) return failureOf('invalid-input', z.prettifyError(parsed.error));
  const { reference, asked } = gate;
  if (parsed.data.without) return failureOf('invalid-input', `${reference} cannot go on without a platform`);
  if (!asked || !waitsForWord(gate)) {
    const remedy = { action: 'look at it with `flightline status RELEASE`', then: null };
    return failureOf('invalid-input', `${reference} does not wait for approval`, { remedy });
  }
  const { decision, digests } = parsed.data;
  const seen = new Set(digests);
  const news = asked.digests.filter((digest) => !seen.has(digest));
  if (news.length === 0 && seen.size === new Set(asked.digests).size) return null;
  const what = `${reference} is not what you looked at: it would now tag ${asked.digests.join(', ')}`;
  const remedy = { action: `look at it with \`flightline status RELEASE\`, then ${decision} it again`, then: null };
  return failureOf('invalid-input', what, { remedy });
}
