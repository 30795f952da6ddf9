/**
 * Checks the builder's configuration, `builder.config`, before an hour is spent on a build: bootc-image-builder's
 * config.toml or config.json. The format is osbuild's blueprint (osbuild/blueprint, `pkg/blueprint`, May 2026). Its
 * reader refuses unknown keys, but the builder only warns of what a disk type ignores. Messages quote no value that
 * could be a secret.
 */
import { parse as parseToml, TomlError } from 'smol-toml';
import { z } from 'zod';
import { Blueprint } from './blueprint.ts';
import { DISK_TYPES, type DiskType } from '../spec/disk.ts';
import { explainIssues, formatPath } from '../spec/spec-file.ts';
import { readYaml, type Problem } from '../spec/yaml-text.ts';
import { tomlPlaces, type Place } from './toml-lines.ts';

export const BUILDER_CONFIG_FORMATS = ['toml', 'json'] as const;
type BuilderConfigFormat = (typeof BUILDER_CONFIG_FORMATS)[number];

/** What a configuration is checked for. */
export interface BuilderConfigUse {
  /** The disk types that are made with it. */
  types: readonly DiskType[];
  /** `builder.rootfs`; null for the image's own. */
  rootfs: string | null;
}

/** The findings: the builder refuses `problems`, or would ignore them without a word; it ignores `warnings`. */
interface BuilderConfigFindings {
  problems: Problem[];
  warnings: Problem[];
}

/** Checks the text of a configuration for the disk types that it is used for. Pure. */
export function checkBuilderConfig(
  text: string,
  format: BuilderConfigFormat,
  use: BuilderConfigUse,
): BuilderConfigFindings {
  const read = format === 'toml' ? readToml(text) : readJson(text);
  if (!read.ok) return { problems: [read.problem], warnings: [] };
  const { value, within, ignored } =
    format === 'json' ? withoutWrapper(read.value) : { ...NO_WRAPPER, value: read.value };
  const at = ({ path, message }: Found): Problem => {
    const whole = [...within, ...path];
    return { ...read.place(whole), path: formatPath(whole), message };
  };
  const parsed = Blueprint.safeParse(value);
  if (!parsed.success) {
    const found = explainIssues(Blueprint, parsed.error.issues).map(({ path, key, message }) => ({
      path: key === undefined ? path : [...path, key],
      message,
    }));
    return { problems: found.map(at), warnings: [] };
  }
  const outside = ignored.map((key): Problem => {
    const message = `has no effect: the builder reads "${WRAPPER}" alone`;
    return { ...read.place([key]), path: formatPath([key]), message };
  });
  const dropped = droppedSilently(parsed.data);
  const { customizations = {} } = parsed.data;
  return {
    problems: [...contradictions(customizations, use), ...wrongMountpoints(customizations, use)].map(at),
    warnings: [...outside, ...[...dropped, ...leftOut(customizations, use.types)].map(at)],
  };
}

/**
 * Before May 2024 config.json had everything below this key. The builder still reads it, and then nothing beside it.
 */
const WRAPPER = 'blueprint';
const NO_WRAPPER: { within: string[]; ignored: string[] } = { within: [], ignored: [] };

function withoutWrapper(value: unknown): { value: unknown; within: string[]; ignored: string[] } {
  const inside = z.looseObject({ [WRAPPER]: z.unknown() }).safeParse(value).data?.[WRAPPER];
  if (inside === undefined || inside === null) return { ...NO_WRAPPER, value };
  return { value: inside, within: [WRAPPER], ignored: Object.keys(value as object).filter((key) => key !== WRAPPER) };
}

/** The text for a builder: without that key, which not every builder knows. Pure. */
export function builderText(text: string, format: BuilderConfigFormat): string {
  const read = format === 'json' ? readJson(text) : null;
  if (!read?.ok) return text;
  const { value, within } = withoutWrapper(read.value);
  return within.length > 0 ? JSON.stringify(value) : text;
}

/** Keys that no disk type applies, and of which the builder does not warn. */
const DROPPED = {
  packages: 'packages are installed in the Containerfile',
  modules: 'packages are installed in the Containerfile',
  groups: 'packages are installed in the Containerfile',
  enabled_modules: 'packages are installed in the Containerfile',
  containers: 'containers are put into the image',
  distro: 'disks are of the distribution of the image',
  minimal: 'disks hold what the image holds',
} as const satisfies Partial<Record<keyof z.infer<typeof Blueprint>, string>>;

function droppedSilently(given: z.infer<typeof Blueprint>): Found[] {
  return Object.entries(DROPPED)
    .filter(([key]) => given[key as keyof typeof DROPPED] !== undefined)
    .map(([key, reason]) => ({ path: [key], message: `has no effect: ${reason}` }));
}

type Customizations = NonNullable<z.infer<typeof Blueprint>['customizations']>;
interface Found {
  path: PropertyKey[];
  message: string;
}
type Read =
  { ok: true; value: unknown; place: (path: readonly PropertyKey[]) => Place } | { ok: false; problem: Problem };

function readToml(text: string): Read {
  try {
    return { ok: true, value: parseToml(text), place: tomlPlaces(text) };
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    // After its first line the message quotes the text, which may hold a password.
    const message = error.message.split('\n')[0]!.replace(/^Invalid TOML document: /, '');
    const { line, column } = error;
    return { ok: false, problem: { line, column, path: '', message: `this is no TOML: ${message}` } };
  }
}

function readJson(text: string): Read {
  try {
    return { ok: true, value: JSON.parse(text), place: jsonPlaces(text) };
  } catch {
    // V8's message quotes the text around the place.
    return { ok: false, problem: { line: 1, column: 1, path: '', message: 'this is no JSON' } };
  }
}

/** JSON is YAML, whose parser keeps positions. */
function jsonPlaces(text: string): (path: readonly PropertyKey[]) => Place {
  const read = readYaml(text);
  if (!read.ok) return () => ({ line: 1, column: 1 });
  return (path) => {
    const key = path.at(-1);
    return typeof key === 'string' ? read.yaml.place(path.slice(0, -1), key) : read.yaml.place(path);
  };
}

const isIso = (type: DiskType) => DISK_TYPES[type].family === 'iso';

/** What the builder refuses, and what would have no effect at all. */
function contradictions(given: Customizations, { types }: BuilderConfigUse): Found[] {
  const found: Found[] = [];
  const refuse = (path: PropertyKey[], message: string) => found.push({ path: ['customizations', ...path], message });
  if (given.installer?.kickstart !== undefined) {
    const message = 'cannot be used together with installer.kickstart: say it in the kickstart';
    for (const name of ['user', 'group', 'sshkey'] as const) {
      if ((given[name] ?? []).length > 0) refuse([name], message);
    }
    if (given.installer.unattended) refuse(['installer', 'unattended'], message);
    if (given.installer['sudo-nopasswd']?.length) refuse(['installer', 'sudo-nopasswd'], message);
  }
  if (given.filesystem && given.disk) refuse(['disk'], 'cannot be used together with filesystem: keep one of them');
  if (types.length > 0 && types.every(isIso)) {
    for (const name of ['filesystem', 'disk'] as const) {
      if (given[name]) refuse([name], isoMessage(types));
    }
  }
  return [...found, ...doubled(given, 'user'), ...doubled(given, 'group')];
}

function isoMessage(types: readonly DiskType[]): string {
  return `has no effect on ${types.join(', ')}: no file system is made when it is built`;
}

function doubled(given: Customizations, list: 'user' | 'group'): Found[] {
  const names = (given[list] ?? []).map(({ name }) => name);
  return names.flatMap((name, index) =>
    names.indexOf(name) === index
      ? []
      : [{ path: ['customizations', list, index, 'name'], message: `the ${list} ${name} is listed twice` }],
  );
}

/** bib's README, "Allowed mountpoints and sizes". */
function wrongMountpoints(given: Customizations, { rootfs }: BuilderConfigUse): Found[] {
  const allowed = (mountpoint: string) =>
    mountpoint === '/' ||
    mountpoint === '/boot' ||
    (rootfs !== 'btrfs' && mountpoint.startsWith('/var/') && !/^\/var\/(?:home|run)(?:\/|$)/.test(mountpoint));
  const message =
    rootfs === 'btrfs'
      ? 'with rootfs btrfs only / and /boot can be file systems of their own'
      : 'only /, /boot and directories below /var can be file systems of their own; /var itself, /var/home and ' +
        '/var/run cannot';
  return (given.filesystem ?? []).flatMap(({ mountpoint }, index, all) => {
    const path = ['customizations', 'filesystem', index, 'mountpoint'];
    if (!allowed(mountpoint)) return [{ path, message }];
    const first = all.findIndex((other) => other.mountpoint === mountpoint);
    return first === index ? [] : [{ path, message: `${mountpoint} is listed twice` }];
  });
}

/** What each family of types applies (bib's `supported_options`). The builder warns of the rest and ignores it. */
const APPLIED: Record<'disk' | 'iso' | 'pxe', readonly (keyof Customizations)[]> = {
  disk: [
    'user',
    'group',
    'sshkey',
    'kernel',
    'filesystem',
    'disk',
    'files',
    'directories',
    'bootloader',
    'ignition',
    'sshd',
  ],
  iso: ['user', 'group', 'sshkey', 'kernel', 'installer', 'iso', 'fips'],
  pxe: ['user', 'group', 'sshkey', 'kernel', 'files', 'directories'],
};

function leftOut(given: Customizations, types: readonly DiskType[]): Found[] {
  const keys = Object.keys(given) as (keyof Customizations)[];
  return keys.flatMap((key) => {
    const without = types.filter((type) => !APPLIED[familyOf(type)].includes(key));
    if (without.length === 0) return [];
    const isFileSystem = key === 'filesystem' || key === 'disk';
    if (isFileSystem && types.every(isIso)) return [];
    const message = isFileSystem ? isoMessage(without) : `has no effect on ${without.join(', ')}`;
    return [{ path: ['customizations', key], message }];
  });
}

function familyOf(type: DiskType): keyof typeof APPLIED {
  return type === 'pxe-tar-xz' ? 'pxe' : DISK_TYPES[type].family;
}
