/** Advice of Flight Control's guide and bootc's guidance on what a build added to its base. Pure. */
import { isSecretFile } from '../../../model/spec/secret-names.ts';
import { underUsr, DROP_INS } from './drop-ins.ts';

/** How many paths a line names before it counts the rest. */
const NAMED = 3;
/**
 * Below /var, but no content of the image: temporary files, links to /run, and leftovers of package managers, which
 * `bootc container lint` reports.
 */
const NO_CONTENT = /^\/var\/(?:tmp|run|lock|log|cache|lib\/(?:dnf|rpm|rhsm|apt|dpkg|systemd))(?:\/|$)/;
/** Where packages have tests and examples with names like those of secrets. */
const OF_PACKAGES = /^\/usr\/(?:lib|lib64|share\/doc)\//;
/** Where `systemctl enable` and `mask` put links beside units. */
const UNITS = /^\/etc\/systemd\/(?:system|user)\//;

/** The advice on what an image adds to its base, a line each. Pure. */
export function imageAdvice({ added, changed }: { added: readonly string[]; changed: readonly string[] }): string[] {
  const secrets = added.filter((path) => isSecretFile(path) && !OF_PACKAGES.test(path));
  const content = outermost(added.filter((path) => path.startsWith('/var/') && !NO_CONTENT.test(path)));
  const wholes = [...added, ...changed].filter((path) => DROP_INS[path] !== undefined);
  const elsewhere = added.filter((path) => underUsr(path) !== undefined && !UNITS.test(path));
  return [
    ...line(secrets, 'looks like a secret', 'everybody who can pull the image can read it'),
    ...line(content, 'is below /var', 'put it below /usr, or let systemd-tmpfiles make it (/usr/lib/tmpfiles.d)'),
    ...line(wholes, 'is changed as a whole', 'put what differs into a drop-in file', (path) => DROP_INS[path]),
    ...line(outermost(elsewhere), 'is read below /usr too', 'put it there', underUsr),
  ];
}

/** Leaves out paths below other paths. */
function outermost(paths: readonly string[]): string[] {
  return paths.filter((path) => !paths.some((other) => path.startsWith(`${other}/`)));
}

function line(
  paths: readonly string[],
  what: string,
  better: string,
  where: (path: string) => string | undefined = () => undefined,
): string[] {
  if (paths.length === 0) return [];
  const named = paths.slice(0, NAMED).map((path) => {
    const place = where(path);
    return place === undefined ? path : `${path} (${place})`;
  });
  const more = paths.length > NAMED ? ` and ${paths.length - NAMED} more` : '';
  return [`${named.join(', ')}${more} ${what}; ${better}`];
}
