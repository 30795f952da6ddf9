/** Arguments that several verbs take. */
import { InvalidArgumentError } from '@commander-js/extra-typings';
import { ARCHITECTURES, type Architecture } from '../../model/base/host.ts';
import { ROLES, type Role } from '../../model/contract/queue.ts';
import { UserError } from './errors.ts';

/** Name and help of RELEASE. */
export const RELEASE_ARGUMENT = ['<release>', 'REPOSITORY:TAG, or the workflow id'] as const;
/** Name and help of RELEASE where an earlier run can be meant. */
export const RUN_ARGUMENT = [
  '<release>',
  'REPOSITORY:TAG, or the workflow id; with @RUN an earlier run of it',
] as const;
/** Name and help of a name that is tagged. */
export const NAME_ARGUMENT = ['<name>', 'REPOSITORY:TAG'] as const;
/** Flag and help of the key by which a verb verifies. */
export const KEY_OPTION = ['--key <file>', 'the public key; default is what FLIGHTLINE_PUBLIC_KEY names'] as const;

/** A number from 1 on. */
export function positiveInteger(text: string): number {
  if (/^[1-9]\d{0,5}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a positive whole number.');
}

/** `control,build` as a list; each role at most once. */
export function roleList(text: string): Role[] {
  const words = text.split(',').map((word) => word.trim());
  const unknown = words.find((word) => !ROLES.some((role) => role === word));
  if (unknown !== undefined) throw new InvalidArgumentError(`Roles are ${ROLES.join(', ')}.`);
  return ROLES.filter((role) => words.includes(role));
}

/** That of a platform as `linux/arm64`; undefined where none is named. @throws UserError `usage` */
export function architectureNamed(platform: string | undefined): Architecture | undefined {
  const found = ARCHITECTURES.find((one) => `linux/${one}` === platform);
  if (found || platform === undefined) return found;
  const known = ARCHITECTURES.map((one) => `linux/${one}`).join(' or ');
  throw new UserError('usage', `${platform} is no platform that images and disks are made for`, `name ${known}`);
}
