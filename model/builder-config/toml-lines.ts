/** Finds a key in a TOML text, since the parser gives no positions. Pure. */

/** A position in a text, counted from 1. */
export interface Place {
  line: number;
  column: number;
}

const KEY = String.raw`(?:[A-Za-z0-9_-]+|"[^"\n]*"|'[^'\n]*')`;
const KEYS = String.raw`${KEY}(?:[ \t]*\.[ \t]*${KEY})*`;
const HEADER = new RegExp(String.raw`^([ \t]*)(\[\[?)[ \t]*(${KEYS})[ \t]*\]`);
const ASSIGNMENT = new RegExp(String.raw`^([ \t]*)(${KEYS})[ \t]*=`);
const ONE_KEY = new RegExp(KEY, 'g');
const MULTILINE = /"""|'''/g;

/**
 * The position of a path's key, or of the nearest key above it that has a line of its own, since an inline table takes
 * one line. Array tables count from 0, as in the parsed value.
 */
export function tomlPlaces(text: string): (path: readonly PropertyKey[]) => Place {
  const places = new Map<string, Place>();
  const counts = new Map<string, number>();
  let table: PropertyKey[] = [];
  let quote: string | null = null;
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (quote === null) {
      const header = HEADER.exec(line);
      const assignment = header ? null : ASSIGNMENT.exec(line);
      const note = (path: readonly PropertyKey[], column: number) => {
        if (!places.has(nameOf(path))) places.set(nameOf(path), { line: index + 1, column });
      };
      if (header) {
        const names = keysOf(header[3]!);
        table = withIndices(names, counts, header[2] === '[[');
        note(table, header[1]!.length + 1);
        // An array, and each key above it, begins with its first table.
        for (let length = 1; length < table.length; length++) note(table.slice(0, length), header[1]!.length + 1);
      } else if (assignment) {
        const keys = keysOf(assignment[2]!);
        for (let length = 1; length <= keys.length; length++) {
          note([...table, ...keys.slice(0, length)], assignment[1]!.length + 1);
        }
      }
    }
    quote = openQuote(line, quote);
  }
  return (path) => {
    for (let length = path.length; length > 0; length--) {
      const place = places.get(nameOf(path.slice(0, length)));
      if (place) return place;
    }
    return { line: 1, column: 1 };
  };
}

function nameOf(path: readonly PropertyKey[]): string {
  return JSON.stringify(path.map(String));
}

function keysOf(text: string): string[] {
  return [...text.matchAll(ONE_KEY)].map(([key]) => key.replace(/^["']|["']$/g, ''));
}

/** The path of a header. Where it passes an array of tables, it has the index of the latest one. */
function withIndices(names: readonly string[], counts: Map<string, number>, isNew: boolean): PropertyKey[] {
  const path: PropertyKey[] = [];
  for (const [position, name] of names.entries()) {
    path.push(name);
    const key = nameOf(path);
    const count = counts.get(key);
    if (isNew && position === names.length - 1) {
      counts.set(key, (count ?? -1) + 1);
      path.push((count ?? -1) + 1);
    } else if (count !== undefined) {
      path.push(count);
    }
  }
  return path;
}

/** The quotes of a multi-line string that is still open at the end of a line. */
function openQuote(line: string, open: string | null): string | null {
  let quote = open;
  for (const [mark] of line.matchAll(MULTILINE)) {
    if (quote === null) quote = mark;
    else if (quote === mark) quote = null;
  }
  return quote;
}
