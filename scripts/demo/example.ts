/**
 * Which example the demo releases: the guide's own where its images can be had, else the one that needs no image
 * registry.
 */

/** The examples by the names of their directories. */
export const EXAMPLES = ['centos-stream9', 'debian'] as const;
export type ExampleName = (typeof EXAMPLES)[number];

/** The registry API's root of quay.io, which has the base image and bootc-image-builder. */
const QUAY = 'https://quay.io/v2/';
/** Milliseconds until it counts as out of reach. */
const TIMEOUT = 3_000;

/** A choice, and why. */
export interface Choice {
  name: ExampleName;
  reason: string;
}

/** Chooses by what can be reached; `chosen` is the user's own choice. */
export async function chooseExample(chosen: ExampleName | undefined): Promise<Choice> {
  if (chosen !== undefined) return { name: chosen, reason: 'chosen with --example' };
  return choiceFor(await quayAnswers());
}

/** The choice that follows from whether quay.io answers. */
export function choiceFor(quay: boolean): Choice {
  return quay
    ? { name: 'centos-stream9', reason: 'quay.io answers, where its base image and bootc-image-builder are' }
    : {
        name: 'debian',
        reason: 'quay.io does not answer from here, and this example is made from Debian packages only',
      };
}

/**
 * `true` when the registry itself answers: a proxy's error page is no answer (distribution specification, "Determining
 * Support").
 */
async function quayAnswers(): Promise<boolean> {
  try {
    const response = await fetch(QUAY, { signal: AbortSignal.timeout(TIMEOUT) });
    await response.body?.cancel();
    return response.status === 200 || response.status === 401;
  } catch {
    return false;
  }
}
