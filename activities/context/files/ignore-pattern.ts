/**
 * One rule of an ignore file, matched as podman does (containers/storage, `pkg/fileutils`): it turns the pattern into a
 * regular expression of Go. So `+`, `(`, `)`, `|`, `^` and `{2}` mean what they mean in a regular expression. A
 * generator tests this against podman itself. Pure.
 */
import { posix } from 'node:path';

/** A rule of an ignore file. */
export interface IgnorePattern {
  /** `!`: includes again what earlier rules ignore. */
  takesBack: boolean;
  /** The pattern without `!`, cleaned. */
  text: string;
  /** `true` when the rule matches the path or a directory above it. */
  matches(path: string): boolean;
  /** `false` only when the rule cannot match anything below the directory. */
  reachesBelow(directory: string): boolean;
}

/** A rule that podman refuses, or that cannot be matched as podman does. */
export class IgnorePatternError extends Error {}

/**
 * Reads a line of an ignore file.
 *
 * @returns null for comments and empty rules
 * @throws IgnorePatternError
 */
export function readIgnorePattern(line: string): IgnorePattern | null {
  if (line.startsWith('#')) return null;
  const given = trimSpace(line.replace(/^\/+|\/+$/g, ''));
  if (given === '') return null;
  const whole = clean(given);
  if (whole === '!') throw new IgnorePatternError('illegal exclusion pattern: "!"');
  const takesBack = whole.startsWith('!');
  const text = takesBack ? clean(whole.slice(1)).replace(/^\//, '') : whole;
  checkSyntax(Array.from(text));
  const expression = compile(text);
  const parts = text.split('/').map((part) => (mayCrossDirectories(part) ? null : compile(part)));
  return {
    takesBack,
    text,
    matches: (path) => expression.test(path),
    reachesBelow: (directory) => {
      const names = directory.split('/');
      for (const [index, part] of parts.entries()) {
        const name = names[index];
        if (name === undefined || part === null) return true;
        if (!part.test(name)) return false;
      }
      return true;
    },
  };
}

/** Classes and other parts of a regular expression may match "/" too. */
function mayCrossDirectories(part: string): boolean {
  return part.includes('**') || /[[\](){}|+^\\]/.test(part);
}

/** `strings.TrimSpace` of Go. */
function trimSpace(text: string): string {
  return text.replace(/^\p{White_Space}+|\p{White_Space}+$/gu, '');
}

/** `filepath.Clean` of Go. */
function clean(path: string): string {
  const normal = posix.normalize(path);
  return normal.length > 1 ? normal.replace(/\/$/, '') : normal;
}

const badPattern = () => new IgnorePatternError('syntax error in pattern');

/**
 * `true` for a pattern that Go's `filepath.Match` accepts: classes end and have complete ranges, and `\` escapes
 * something.
 */
function checkSyntax(characters: readonly string[]): void {
  let at = 0;
  const one = () => {
    let character = characters[at++];
    if (character === undefined || character === '-' || character === ']') throw badPattern();
    if (character === '\\') character = characters[at++];
    // Go refuses a byte that is not UTF-8 in a class. Elsewhere it matches any such byte.
    if (character === undefined || character === '\uFFFD' || at >= characters.length) throw badPattern();
  };
  while (at < characters.length) {
    const character = characters[at++];
    if (character === '\\' && at++ >= characters.length) throw badPattern();
    if (character !== '[') continue;
    if (characters[at] === '^') at++;
    for (let ranges = 0; characters[at] !== ']' || ranges === 0; ranges++) {
      one();
      if (characters[at] !== '-') continue;
      at++;
      one();
    }
    at++;
  }
}

function compile(pattern: string): RegExp {
  try {
    return new RegExp(fromGo(Array.from(goExpression(pattern))), 'u');
  } catch (error) {
    throw error instanceof SyntaxError ? badPattern() : error;
  }
}

/** The regular expression that podman makes of a pattern. It also replaces a `*` in a class. */
function goExpression(pattern: string): string {
  const characters = Array.from(pattern.replace(/^\uFEFF/, ''));
  let expression = '^';
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at]!;
    if (character === '*' && characters[at + 1] === '*') {
      at++;
      if (characters[at + 1] === '/') at++;
      expression += at + 1 === characters.length ? '.*' : '(.*/)?';
    } else if (character === '*') expression += '[^/]*';
    else if (character === '?') expression += '[^/]';
    else if (character === '.' || character === '$') expression += `\\${character}`;
    else if (character === '\\') expression += `\\${characters[++at] ?? ''}`;
    else expression += character;
  }
  return `${expression}(/.*)?$`;
}

/** Go's escapes with a letter, as the inside of a class. */
const CLASSES: Readonly<Record<string, string>> = { d: '0-9', w: '0-9A-Za-z_', s: '\\t\\n\\f\\r ' };
const CONTROLS: Readonly<Record<string, string>> = {
  a: '\\x07',
  f: '\\f',
  n: '\\n',
  r: '\\r',
  t: '\\t',
  v: '\\v',
};

const literal = (character: string) =>
  character.replace(/[\\^$.*+?()[\]{}|/-]/, (sign) => `\\u{${sign.charCodeAt(0).toString(16)}}`);

/** Translates a regular expression of Go. */
function fromGo(characters: readonly string[]): string {
  let at = 0;
  let expression = '';
  while (at < characters.length) {
    const character = characters[at++]!;
    if (character === '\\') expression += escaped(characters[at++]!);
    else if (character === '[') expression += classOf();
    else if (character === '{') expression += repetition();
    else if (character === '.') expression += '[^\\n]';
    else expression += character === '}' || character === ']' ? literal(character) : character;
  }
  return expression;

  function repetition(): string {
    const [whole, least, , most] = /^(\d+)(,(\d*))?\}/.exec(characters.slice(at).join('')) ?? [];
    if (whole === undefined) return literal('{');
    if (Number(least) > 1000 || Number(most ?? 0) > 1000) throw badPattern();
    at += whole.length;
    return `{${whole}`;
  }

  function classOf(): string {
    const negated = characters[at] === '^';
    if (negated) at++;
    let inside = '';
    for (let first = true; characters[at] !== ']' || first; first = false) {
      const low = member();
      if (characters[at] === '-' && characters[at + 1] !== undefined && characters[at + 1] !== ']') {
        at++;
        inside += `${low}-${member()}`;
      } else inside += low;
    }
    at++;
    return `[${negated ? '^' : ''}${inside}]`;
  }

  function member(): string {
    const character = characters[at++];
    if (character === undefined) throw badPattern();
    if (character === '[' && characters[at] === ':') throw unread('[:');
    return character === '\\' ? escaped(characters[at++] ?? '', true) : literal(character);
  }
}

function escaped(character: string, inClass = false): string {
  if (/^[^A-Za-z0-9\u0080-\u{10FFFF}]$/u.test(character)) return literal(character);
  const control = CONTROLS[character];
  if (control !== undefined) return control;
  const members = CLASSES[character.toLowerCase()];
  if (members === undefined) throw unread(`\\${character}`);
  if (character in CLASSES) return inClass ? members : `[${members}]`;
  if (inClass) throw unread(`\\${character}`);
  return `[^${members}]`;
}

function unread(what: string): IgnorePatternError {
  return new IgnorePatternError(`"${what}" is not supported in a rule: write the characters themselves`);
}
