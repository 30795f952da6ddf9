/** A registry keeps all signatures of a digest in one tag: whoever else signs at the same moment may write over ours. */
import { patched } from '@temporalio/workflow';
import { StageFailed } from '../failure.ts';

/** How often a signature is written again before the branch is held: then somebody does it on purpose. */
const MAX_AGAIN = 3;

/**
 * Does what needs a signature. Each time it finds that the signature is not there, `sign` writes it again; a signature that is there
 * and refused is not written twice, so that the next try fails as well.
 */
export async function signingAgain<Result>(work: () => Promise<Result>, sign: () => Promise<void>): Promise<Result> {
  for (let again = 0; ; again++) {
    try {
      return await work();
    } catch (error) {
      const isMissing = error instanceof StageFailed && error.failure.kind === 'signature-rejected';
      if (!isMissing || again === MAX_AGAIN || !patched('sign-again')) throw error;
      await sign();
    }
  }
}
