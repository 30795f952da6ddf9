/** Who sits at this command, as far as it can tell. */
import { hostname, userInfo } from 'node:os';

/** `ann@laptop`: what the machine says, and no proof of anything (docs/security.md). */
export function thisPerson(): string {
  let name = process.env['USER'] ?? 'somebody';
  try {
    name = userInfo().username;
  } catch {
    // A container may have no entry for its user.
  }
  return `${name}@${hostname()}`.slice(0, 200);
}
