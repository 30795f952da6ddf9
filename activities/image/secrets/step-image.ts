/** The images between the steps of a build, and whether one may hold a secret. Pure. */

/** In the place of a number: no step holds the secret but those with the mark. */
export const ALL = 'all';

/** Or those that mount a secret besides. */
export const SECRETS = 'secrets';

/** An image between two steps. */
export interface StepImage {
  id: string;
  /** Value of the label. */
  label: string;
  /** What it was made by, its base's steps first (`created_by` of the OCI image configuration). */
  history: readonly string[];
}

/**
 * Whether an image between two steps may hold a secret. Where the context does, only what a RUN made that mounts
 * nothing, and instructions that add no file, are known to hold none; so are the steps of the bases. Pure.
 */
export function mayHoldSecret({ label, history }: Pick<StepImage, 'label' | 'history'>): boolean {
  const [, , trusted = '', mark = ''] = label.split('/');
  if (mark !== '' && history.some((step) => step.includes(mark))) return true;
  if (trusted === ALL) return false;
  if (trusted === SECRETS) return history.some((step) => /--mount=\S*type=secret/.test(step));
  if (!/^\d+$/.test(trusted)) return true;
  // As buildah writes it: `/bin/sh -c #(nop) COPY file:… in /etc/`,
  // `/bin/sh -c --mount=type=bind,src=.,dst=/c dnf -y install …`.
  return history.slice(Number(trusted)).some((step) => step === '' || /#\(nop\) +(?:ADD|COPY)|--mount=/i.test(step));
}
