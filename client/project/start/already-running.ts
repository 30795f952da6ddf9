/** The words for a start that another run of the same release stands in the way of. Pure. */
import { UserError } from '../../terminal/errors.ts';
import { EXIT } from '../../terminal/exit-codes.ts';

/**
 * What stands in the way, and the ways on, in three lines.
 *
 * @param spec as it was typed after `flightline run`
 */
export function alreadyRunning(reference: string, isHeld: boolean, spec: string): UserError {
  const [file] = spec.split(' ');
  const look = isHeld
    ? `see why: flightline status ${reference}   let it go on: flightline retry ${reference} --spec ${file}`
    : `watch it: flightline watch ${reference}`;
  const end = `start again: flightline run ${spec} --replace   end it: flightline cancel ${reference}`;
  return new UserError(
    'already-running',
    `a release of ${reference} is ${isHeld ? 'held' : 'already running'}; no other was started`,
    `${look}\n  ${end}`,
    EXIT.alreadyRunning,
  );
}
