/** What package managers and systemctl are told to do. Pure. */
import type { RunCommand } from './containerfile.ts';

/** Package managers of the images that flightline's guide is about, and Debian's. */
const MANAGERS = new Set(['dnf', 'dnf5', 'yum', 'microdnf', 'rpm-ostree', 'apt-get', 'apt']);
/** Those that leave a cache in the image. */
const DNF = new Set(['dnf', 'dnf5', 'yum', 'microdnf']);
/** What fills dnf's cache. */
const FETCHING = new Set([
  'install',
  'localinstall',
  'reinstall',
  'upgrade',
  'upgrade-minimal',
  'update',
  'downgrade',
  'distro-sync',
  'swap',
  'group',
  'groupinstall',
  'module',
  'builddep',
  'builddep-nobest',
  'makecache',
  'download',
]);

/** Whether one of the commands installs a package: by its name, with a version, or as a file or address of it. */
export function installs(commands: readonly RunCommand[], name: string): RunCommand | undefined {
  const package_ = new RegExp(`(?:^|/)${name}(?:[-=.]\\d.*|\\.[a-z0-9_]+)?$`);
  return commands.find(
    (command) =>
      MANAGERS.has(command.name) &&
      command.words.includes('install') &&
      command.words.some((word) => package_.test(word)),
  );
}

/** Whether a unit is enabled: `systemctl enable UNIT`, or a link as it makes one. */
export function enables(commands: readonly RunCommand[], unit: string): boolean {
  return commands.some(({ name, words }) => {
    if (name === 'systemctl')
      return words.some((word) => word === 'enable' || word === 'preset') && hasUnit(words, unit);
    return (
      name === 'ln' && words.some((word) => baseIs(word, unit)) && words.some((word) => /\.wants(?:\/|$)/.test(word))
    );
  });
}

/** Whether a unit is masked: `systemctl mask UNIT`, or a link to /dev/null. */
export function masks(commands: readonly RunCommand[], unit: string): boolean {
  return commands.some(({ name, words }) => {
    if (name === 'systemctl') return words.includes('mask') && hasUnit(words, unit);
    return name === 'ln' && words.includes('/dev/null') && words.some((word) => baseIs(word, unit));
  });
}

/** `systemctl enable x` means x.service. */
function hasUnit(words: readonly string[], unit: string): boolean {
  return words.some((word) => word === unit || `${word}.service` === unit);
}

function baseIs(path: string, unit: string): boolean {
  return path === unit || path.endsWith(`/${unit}`);
}

/** Whether a command is dnf's, so that units of what it installs are left as the distribution presets them. */
export function isDnf(command: RunCommand): boolean {
  return DNF.has(command.name);
}

/** Whether a command fills dnf's cache. */
export function fillsCache(command: RunCommand): boolean {
  return isDnf(command) && command.words.some((word) => FETCHING.has(word));
}

/** Whether a command empties dnf's cache. */
export function emptiesCache(command: RunCommand): boolean {
  if (isDnf(command)) return command.words.includes('clean') && command.words.includes('all');
  // `rm -rf /var/{cache,log}`, as the guide writes it for RHEL
  return (
    command.name === 'rm' &&
    command.words.some((word) => /^\/var\/(?:cache|\{[^}]*\bcache\b[^}]*\})(?:\/|$)/.test(word))
  );
}
