/**
 * Signing, verifying, and signing again: a registry keeps all signatures of a digest in one tag, which others may
 * write over.
 */
import type { ActivitiesOn } from '../model/contract/activities.ts';
import type { SignInput } from '../model/contract/sign.ts';
import { StageFailed } from './failure.ts';
import { activities } from './activities.ts';
import { runStage, type StageBoard } from './run-stage.ts';

/** How often a signature is written again before the branch is held: then somebody does it on purpose. */
const MAX_AGAIN = 3;

/** The stage `sign` of a subject. */
export async function sign(board: StageBoard, subject: string, input: SignInput, summary?: string): Promise<void> {
  await runStage(board, { name: 'sign', subject }, null, () =>
    signActivities(input, summary ?? `sign ${subject}`).sign(input),
  );
}

/** What is done already of a subject; a new signature must be verified. */
interface SigningProgress {
  signed: boolean;
  verified: boolean;
}

/** The stages `sign` and `verify` of a subject, as far as they are not done. Notes each in `progress`. */
export async function signAndVerify(
  board: StageBoard,
  subject: string,
  input: SignInput,
  progress: SigningProgress,
): Promise<void> {
  const signNow = () => sign(board, subject, input);
  const verify = () =>
    runStage(board, { name: 'verify', subject }, null, () => signActivities(input, `verify ${subject}`).verify(input));
  if (!progress.signed) await signNow();
  progress.signed = true;
  if (!progress.verified) await signingAgain(verify, signNow);
  progress.verified = true;
}

/**
 * Does what needs a signature. Each time it finds that the signature is not there, `signNow` writes it again; a
 * signature that is there and refused is not written twice, so that the next try fails as well.
 */
export async function signingAgain<Result>(work: () => Promise<Result>, signNow: () => Promise<void>): Promise<Result> {
  for (let again = 0; ; again++) {
    try {
      return await work();
    } catch (error) {
      const isMissing = error instanceof StageFailed && error.failure.kind === 'signature-rejected';
      if (!isMissing || again === MAX_AGAIN) throw error;
      await signNow();
    }
  }
}

function signActivities({ timing }: Pick<SignInput, 'timing'>, summary: string): ActivitiesOn<'sign'> {
  return activities('sign', timing, summary);
}
