/** The checks, and those that a role needs. */
import type { Role } from '../../model/contract/queue.ts';
import { bootTestChecks } from './checks/boot-test.ts';
import type { Check } from './check.ts';
import { containerChecks } from './checks/containers.ts';
import { hostChecks, spaceChecks } from './checks/host.ts';
import { keyChecks } from './checks/keys.ts';
import { redHatChecks } from './checks/red-hat.ts';
import { registryChecks } from './checks/registries.ts';
import { secretChecks } from './checks/secrets.ts';
import { webhookChecks } from './checks/webhooks.ts';
import { syftChecks } from './checks/syft.ts';
import { temporalChecks } from './checks/temporal.ts';
import { versionChecks } from './checks/versions.ts';

/** Every check, in the order in which people would fix what they find. */
const CHECKS: readonly Check[] = [
  ...versionChecks,
  ...hostChecks,
  ...containerChecks,
  ...bootTestChecks,
  ...syftChecks,
  ...spaceChecks,
  ...registryChecks,
  ...redHatChecks,
  ...secretChecks,
  ...webhookChecks,
  ...keyChecks,
  ...temporalChecks,
];

/** The checks that some of the roles need. */
export function checksFor(roles: readonly Role[], checks: readonly Check[] = CHECKS): Check[] {
  return checks.filter((check) => check.roles.some((role) => roles.includes(role)));
}
