/**
 * Signing, verifying, and signing again where needed: a registry keeps all signatures of a digest in one tag, which
 * somebody else may overwrite.
 */
import type { ActivitiesOn } from '../model/contract/activities.ts';
import type { SignInput, VerifyInput } from '../model/contract/sign.ts';
import type { UpdateCost } from '../model/oci/update-cost.ts';
import { StageFailed } from './failure.ts';
import { activities } from './activities.ts';
import { runStage, type StageBoard } from './run-stage.ts';

/** How often a lost signature is written again before the branch is held. */
const MAX_AGAIN = 3;

/** The stage `sign` of a subject. */
export async function sign(board: StageBoard, subject: string, input: SignInput, summary?: string): Promise<void> {
  await runStage(board, { name: 'sign', subject }, null, () =>
    signActivities(input, summary ?? `sign ${subject}`).sign(input),
  );
}

/** What is done already for a subject. A new signature must be verified. */
interface SigningProgress {
  signed: boolean;
  verified: boolean;
  /** What an update to it costs, where somebody asked. */
  updates?: UpdateCost[];
}

/** Runs `sign` and `verify` for a subject unless they are done. Records what they told in `progress`. */
export async function signAndVerify(
  board: StageBoard,
  subject: string,
  { update, ...input }: VerifyInput,
  progress: SigningProgress,
): Promise<void> {
  const signNow = () => sign(board, subject, input);
  const verify = () =>
    runStage(board, { name: 'verify', subject }, null, async () => {
      const result = await signActivities(input, `verify ${subject}`).verify({ ...input, update });
      if (result.updates) progress.updates = result.updates;
      return result;
    });
  if (!progress.signed) await signNow();
  progress.signed = true;
  if (!progress.verified) await signingAgain(verify, signNow);
  progress.verified = true;
}

/**
 * Runs work that needs a signature. When it is rejected, `signNow` writes it if it is missing, and the work is tried
 * again. `sign` adopts a signature that is there: one that is wrong stays, and the next try fails too.
 */
export async function signingAgain<Result>(work: () => Promise<Result>, signNow: () => Promise<void>): Promise<Result> {
  for (let again = 0; ; again++) {
    try {
      return await work();
    } catch (error) {
      const isRejected = error instanceof StageFailed && error.failure.kind === 'signature-rejected';
      if (!isRejected || again === MAX_AGAIN) throw error;
      await signNow();
    }
  }
}

function signActivities({ timing }: Pick<SignInput, 'timing'>, summary: string): ActivitiesOn<'sign'> {
  return activities('sign', timing, summary);
}
