/** Package managers and systemctl, as a Containerfile's text names them. Pure. */
import type { Piece } from './containerfile.ts';

/** A piece that begins with a command, also as `sudo …`, `then …` or `["dnf", …]`. */
const beginning = (names: string) =>
  new RegExp(`^[\\W]*(?:(?:sudo|env|exec|time|then|do|else)\\s+)*(?:${names})(?![\\w-])`);

const DNF = beginning('dnf5?|yum|microdnf');
const MANAGER = beginning('dnf5?|yum|microdnf|rpm-ostree|apt-get|apt');
const SYSTEMCTL = beginning('systemctl');
const LINK = beginning('ln');

/** Whether a piece is one of dnf's commands. */
export function isDnf({ text }: Piece): boolean {
  return DNF.test(text);
}

/** The command that installs a package: by name, with a version, or by a file or URL. */
export function installs(pieces: readonly Piece[], name: string): Piece | undefined {
  const named = new RegExp(`(?:^|[\\s"',/])${name}(?:[-=.]\\d[^\\s"',]*|\\.[a-z0-9_]+)?(?=$|[\\s"',)\\]])`);
  return pieces.find(({ text }) => MANAGER.test(text) && /\binstall\b/.test(text) && named.test(text));
}

/** Whether a unit is enabled: `systemctl enable UNIT`, or a link as it makes one. */
export function enables(pieces: readonly Piece[], unit: string): boolean {
  return pieces.some(({ text }) => {
    if (SYSTEMCTL.test(text)) return /\b(?:enable|preset)\b/.test(text) && namesUnit(text, unit);
    return LINK.test(text) && namesUnit(text, unit) && /\.wants(?:\/|\s|$)/.test(text);
  });
}

/** Whether a unit is masked: `systemctl mask UNIT`, or a link to /dev/null. */
export function masks(pieces: readonly Piece[], unit: string): boolean {
  return pieces.some(({ text }) => {
    if (SYSTEMCTL.test(text)) return /\bmask\b/.test(text) && namesUnit(text, unit);
    return LINK.test(text) && text.includes('/dev/null') && namesUnit(text, unit);
  });
}

/** `systemctl enable x` means x.service. */
function namesUnit(text: string, unit: string): boolean {
  const words = text.split(/[\s"',\]]+/);
  return words.some((word) => word === unit || `${word}.service` === unit || word.endsWith(`/${unit}`));
}
