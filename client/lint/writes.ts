/** Which files of the image a Containerfile's steps write, as far as their words say it. Pure. */
import { posix } from 'node:path';
import type { ContextEntry } from '../../activities/context/files/listing.ts';
import {
  absolute,
  finalSteps,
  type Containerfile,
  type CopyStep,
  type RunCommand,
  type Step,
} from './containerfile.ts';

/** A path of the image that a step writes. */
export interface Write {
  /** Absolute. */
  path: string;
  /** Where it is written, from 1. */
  line: number;
  /**
   * `place`: a whole file is put there, or begun; `edit`: one that is there is changed; `link`: a link is made; `other`: a
   * directory is made, or rights are changed.
   */
  how: 'place' | 'edit' | 'link' | 'other';
  /** The file of the context, relative to it, or as the step names it; null when it comes from elsewhere. */
  source: string | null;
}

/** What a context holds; null when that is not known here. */
export type ContextListing = readonly { path: string; kind: ContextEntry['kind'] }[] | null;

/** Every write of the stages that become the image. */
export function writesOf(containerfile: Containerfile, listing: ContextListing): Write[] {
  return finalSteps(containerfile).flatMap((step) => [
    ...(step.copy ? copied(step.copy, step, listing) : []),
    ...step.commands.flatMap((command) =>
      commandWrites(command).map(({ path, how }) => ({
        path: normal(absolute(path, step.directory)),
        line: command.line,
        how,
        source: null,
      })),
    ),
  ]);
}

function normal(path: string): string {
  const clean = posix.normalize(path);
  return clean.length > 1 && clean.endsWith('/') ? clean.slice(0, -1) : clean;
}

function copied(copy: CopyStep, step: Step, listing: ContextListing): Write[] {
  const destination = absolute(copy.destination, step.directory);
  const inside = isDirectory(destination) || copy.sources.length > 1;
  const write = (path: string, source: string | null, how: Write['how'] = 'place'): Write => ({
    path: normal(path),
    line: step.line,
    how,
    source,
  });
  const texts = copy.texts.map(({ name }) => write(inside ? `${destination}/${name}` : destination, null));
  const files = copy.sources.flatMap((source) => {
    const place = inside ? `${destination}/${posix.basename(source)}` : destination;
    if (copy.foreign || /^(?:https?|git):/.test(source)) return [write(place, null)];
    const name = normal(`/${source}`).slice(1);
    const found = (listing ?? []).flatMap((file) => {
      if (file.kind === 'directory') return [];
      const rest = below(name, file.path);
      if (rest === undefined) return [];
      const how = file.kind === 'link' ? ('link' as const) : ('place' as const);
      // What is in a directory goes into the destination; a file goes there under its own name, or the one that is given.
      if (rest !== '') return [write(`${destination}/${rest}`, file.path, how)];
      return [write(inside ? `${destination}/${posix.basename(file.path)}` : destination, file.path, how)];
    });
    return found.length > 0 ? found : [write(place, name)];
  });
  return [...texts, ...files];
}

/** What of a path is below a source; empty when it is the source, undefined when it is neither. Knows `*` and `?`. */
function below(source: string, path: string): string | undefined {
  if (source === '') return path;
  const pattern = source.split('/').map((part) =>
    part
      .replaceAll(/[.+^${}()|[\]\\]/g, '\\$&')
      .replaceAll('*', '[^/]*')
      .replaceAll('?', '[^/]'),
  );
  return new RegExp(`^${pattern.join('/')}(?:$|/(.+)$)`)
    .exec(path)
    ?.slice(1)
    .map((rest) => rest ?? '')[0];
}

/** Whether a destination names a directory: by its end, or as one that holds drop-ins. */
function isDirectory(destination: string): boolean {
  return (
    destination.endsWith('/') ||
    destination.endsWith('.d') ||
    /\/(?:systemd\/system|rules\.d|anchors)$/.test(destination)
  );
}

interface CommandWrite {
  path: string;
  how: Write['how'];
}

/** Options that take the next word as their value, for the commands of {@link commandWrites}. */
const VALUES: Record<string, RegExp> = {
  chmod: /^--reference$/,
  chown: /^--(?:reference|from)$/,
  cp: /^-(?:[a-zA-Z]*[tS]|-suffix|-target-directory)$/,
  curl: /^-(?:[a-zA-Z]*[oHdXuAebFKmTxyYzC]|-[a-z-]+)$/,
  install: /^-(?:[a-zA-Z]*[mogtS]|-mode|-owner|-group|-target-directory|-suffix)$/,
  ln: /^-(?:[a-zA-Z]*[tS]|-target-directory|-suffix)$/,
  mkdir: /^-(?:[a-zA-Z]*m|-mode)$/,
  mv: /^-(?:[a-zA-Z]*[tS]|-target-directory|-suffix)$/,
  rsync: /^-(?:[a-zA-Z]*[ef]|-exclude|-include|-chmod|-chown)$/,
  sed: /^-(?:[a-zA-Z]*[efl]|-expression|-file)$/,
  touch: /^-(?:[a-zA-Z]*[drt]|-date|-reference)$/,
  truncate: /^-(?:s|-size|r|-reference)$/,
};

/** Options that name a directory or a file to write. */
const TARGETS: Record<string, RegExp> = {
  cp: /^-t$|^--target-directory$/,
  curl: /^-[a-zA-Z]*o$|^--output$/,
  install: /^-[a-zA-Z]*t$|^--target-directory$/,
  ln: /^-t$|^--target-directory$/,
  mv: /^-t$|^--target-directory$/,
  tar: /^-[a-zA-Z]*C$|^--directory$/,
  unzip: /^-d$/,
  wget: /^-[a-zA-Z]*O$|^--output-document$/,
};

/** The paths that one command writes. */
export function commandWrites({ name, words, writes }: Pick<RunCommand, 'name' | 'words' | 'writes'>): CommandWrite[] {
  const redirected = writes.map((path) => ({ path, how: 'place' as const }));
  return [...redirected, ...byName(name, words)].filter(({ path }) => path !== '/dev/null' && path !== '');
}

function byName(name: string, words: readonly string[]): CommandWrite[] {
  const all = (paths: readonly string[], how: Write['how']) => paths.map((path) => ({ path, how }));
  const paths = operands(name, words);
  const target = optionValue(words, TARGETS[name]);
  switch (name) {
    case 'mkdir':
      return all(paths, 'other');
    case 'chown':
    case 'chgrp':
    case 'chmod':
      return all(paths.slice(1), 'other');
    case 'touch':
    case 'truncate':
    case 'tee':
      return all(paths, 'place');
    case 'sed':
      // Without -e the first operand is the script.
      if (!words.some((word) => /^(?:-[a-zA-Z]*i|--in-place)/.test(word))) return [];
      return all(words.some((word) => /^(?:-[a-zA-Z]*e|--expression)/.test(word)) ? paths : paths.slice(1), 'edit');
    case 'install':
      if (words.some((word) => /^(?:-[a-zA-Z]*d|--directory)$/.test(word))) return all(paths, 'other');
      return intoLast(paths, target, 'place');
    case 'cp':
    case 'mv':
    case 'rsync':
      return intoLast(paths, target, 'place');
    case 'ln':
      return intoLast(paths, target, 'link');
    case 'dd':
      return all(
        words.filter((word) => word.startsWith('of=')).map((word) => word.slice(3)),
        'place',
      );
    case 'curl':
    case 'wget':
      return target === undefined ? [] : all([target], 'place');
    case 'tar':
    case 'unzip':
      return target === undefined ? [] : all([target], 'other');
    case 'git':
      return paths[0] === 'clone' && paths.length > 2 ? all(paths.slice(-1), 'other') : [];
    default:
      return [];
  }
}

/** The words that are no options, and no values of options. */
function operands(name: string, words: readonly string[]): string[] {
  const takesValue = VALUES[name];
  return words.filter((word, index) => {
    if (word.startsWith('-') && word !== '-') return false;
    return !(index > 0 && takesValue?.test(words[index - 1]!));
  });
}

function optionValue(words: readonly string[], option: RegExp | undefined): string | undefined {
  if (!option) return undefined;
  const index = words.findIndex((word) => option.test(word));
  if (index >= 0) return words[index + 1];
  return words.find((word) => word.includes('=') && option.test(word.split('=')[0]!))?.replace(/^[^=]*=/, '');
}

/** `cp A B DIRECTORY/`, `cp A FILE`, `cp -t DIRECTORY A`. */
function intoLast(paths: readonly string[], target: string | undefined, how: Write['how']): CommandWrite[] {
  const sources = target === undefined ? paths.slice(0, -1) : paths;
  const destination = target ?? paths.at(-1) ?? '';
  if (destination === '') return [];
  if (target === undefined && sources.length < 2 && !isDirectory(destination)) return [{ path: destination, how }];
  return sources.map((source) => ({ path: `${destination}/${posix.basename(source)}`, how }));
}
