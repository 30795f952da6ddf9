/** Words a remedy for the place where it is read. */
import { FAILURES, type FailureKind } from './failures.ts';
import type { RemedyPlace, Remedy } from './remedy.ts';

const RETRY: Readonly<Record<Exclude<RemedyPlace, 'held branch'>, string>> = {
  'ended release': 'start the release again',
  promotion: 'start the promotion again',
  request: 'run the command again',
  client: 'run the command again',
};

/**
 * What to do about a failure, in words that fit the place.
 *
 * @param name `repository:tag` or a repository, so that the command can be pasted
 */
export function remedyText(
  { kind, remedy }: { kind: FailureKind; remedy: Remedy },
  place: RemedyPlace,
  name?: string,
): string {
  const usual = FAILURES[kind];
  // A remedy for this one failure is more exact than the usual one of the place.
  const here = remedy.action === usual.action ? (usual.at?.[place] ?? remedy) : remedy;
  const { action, then } = typeof here === 'string' ? { action: here, then: remedy.then } : here;
  const text = then === null ? action : `${action}, then ${nextStep(then, place)}`;
  return name === undefined ? text : text.replaceAll(/\bRELEASE\b/g, name);
}

function nextStep(then: NonNullable<Remedy['then']>, place: RemedyPlace): string {
  if (place !== 'held branch') return RETRY[place];
  if (then === 'start again') return RETRY['ended release'];
  return then === 'retry' ? '`flightline retry RELEASE`' : '`flightline retry RELEASE --spec flightline.yaml`';
}
