/** Tells which images between the steps of a build may hold a secret. Pure. */

/** Instead of a number: only steps with the mark hold the secret. */
export const ALL = 'all';

/** Instead of a number: steps with the mark, and steps that mount a secret, hold it. */
export const SECRETS = 'secrets';

/** An image between two steps. */
export interface StepImage {
  id: string;
  /** Value of the label. */
  label: string;
  /** The instructions that made it, its base's first (`created_by` of the OCI image configuration). */
  history: readonly string[];
}

/**
 * `true` when an image between two steps may hold a secret. If the context holds it, only these are known to hold none:
 * a RUN that mounts nothing, instructions that add no file, and the steps of the bases. Pure.
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
