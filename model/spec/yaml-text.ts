/** Reads YAML, and JSON with it, so that whatever is wrong with the text itself is told at its place. Pure. */
import { isAlias, isCollection, isMap, isNode, isPair, LineCounter, parseDocument, visit, type Document } from 'yaml';

/** One thing wrong in a file: where (1-based) and what. */
export interface Problem {
  line: number;
  column: number;
  /** Path of keys, such as `disks[0].type`; empty for the whole file. */
  path: string;
  message: string;
}

/** A text that is YAML. */
interface YamlText {
  /** As JavaScript has it; null for an empty text. */
  value: unknown;
  /** The place of a value; with `key` that of the key itself; of the nearest value above where there is none. */
  place: (path: readonly PropertyKey[], key?: string) => Pick<Problem, 'line' | 'column'>;
}

/** Most places at which one anchor's content may be repeated: ten such levels would fill the memory. */
const MAX_ALIASES = 100;

const MAX_DEPTH = 200;
/** `- - - x`: lists in lists in one line. */
const COMPACT_LEVELS = new RegExp(String.raw`(?:[-?:][ \t]+){${MAX_DEPTH}}`);

type ReadYaml = { ok: true; yaml: YamlText } | { ok: false; problems: Problem[] };

/** Reads a text. Of a syntax error only the first is told: the rest follow from it. */
export function readYaml(text: string): ReadYaml {
  const start = { line: 1, column: 1 };
  if (isTooDeep(text)) return refused(start, 'is nested too deeply');
  try {
    return parse(text);
  } catch (error) {
    // The parser's words for aliases that multiply.
    if (error instanceof ReferenceError) return refused(start, 'its aliases repeat too much');
    throw error;
  }
}

/**
 * The parser calls itself for each level, and V8 ends the whole process when it compiles a regular expression at the
 * end of its stack. Brackets in strings are counted too: no configuration has so many that are left open.
 */
function isTooDeep(text: string): boolean {
  let depth = 0;
  for (const character of text) {
    if (character === '[' || character === '{') depth += 1;
    if (character === ']' || character === '}') depth = Math.max(0, depth - 1);
    if (depth > MAX_DEPTH) return true;
  }
  return COMPACT_LEVELS.test(text);
}

function parse(text: string): ReadYaml {
  const lines = new LineCounter();
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  // Its own warnings go to Node's, which are no answer to a user.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, logLevel: 'error' });
  const template = unquotedTemplate(text);
  if (document.errors.length > 0) {
    const syntax = document.errors.find(({ code }) => code !== 'DUPLICATE_KEY');
    if (syntax && template !== null && template <= syntax.pos[0]) return refused(at(template), QUOTE_TEMPLATE);
    const told = syntax ? [syntax] : document.errors;
    return { ok: false, problems: told.map(({ pos, message }) => ({ ...at(pos[0]), path: '', message })) };
  }
  const found = wrongNode(document);
  if (found?.message === KEY_IS_COLLECTION && template !== null) return refused(at(template), QUOTE_TEMPLATE);
  if (found) return refused(at(found.offset), found.message);
  const value: unknown = document.toJS({ maxAliasCount: MAX_ALIASES });
  return { ok: true, yaml: { value, place: (path, key) => at(offsetOf(document, path, key)) } };
}

function refused(place: Pick<Problem, 'line' | 'column'>, message: string): ReadYaml {
  return { ok: false, problems: [{ ...place, path: '', message }] };
}

const QUOTE_TEMPLATE = 'quote it: YAML takes a value that begins with {{ for a map; write "{{…}}"';
const KEY_IS_COLLECTION = 'a key must be a text';

/** The first node that has no meaning in a configuration: an alias without its anchor, or a map as a key. */
function wrongNode(document: Document): { offset: number; message: string } | undefined {
  let found: { offset: number; message: string } | undefined;
  const anchors = new Set<string>();
  visit(document, {
    Node(_, node) {
      if (isAlias(node)) {
        if (anchors.has(node.source)) return undefined;
        const message = `*${node.source} stands before an anchor &${node.source}; quote a text that begins with *`;
        found = { offset: node.range![0], message };
        return visit.BREAK;
      }
      if ('anchor' in node && node.anchor) anchors.add(node.anchor);
      return undefined;
    },
    Pair(_, { key }) {
      if (!isCollection(key)) return undefined;
      found = { offset: key.range![0], message: KEY_IS_COLLECTION };
      return visit.BREAK;
    },
  });
  return found;
}

/** Where a `{{name}}` begins a value without quotes; null when none does. */
function unquotedTemplate(text: string): number | null {
  const found = /^[ \t]*(?:[^\s#'"][^\n#'"]*?:[ \t]+)?(?:- +|\[[ \t]*)*\{\{[ \t]*[A-Za-z]\w*[ \t]*\}\}/m.exec(text);
  return found && found.index + found[0].lastIndexOf('{{');
}

/** Offset of the node a path names, or of the key itself; of the nearest existing parent where the node is absent. */
function offsetOf(document: Document, path: readonly PropertyKey[], key?: string): number {
  if (key !== undefined) {
    const parent = path.length === 0 ? document.contents : document.getIn(path, true);
    if (isMap(parent)) {
      const pair = parent.items.find((item) => isPair(item) && String(item.key) === key);
      if (pair && isNode(pair.key) && pair.key.range) return pair.key.range[0];
    }
  }
  for (let length = path.length; length > 0; length--) {
    const node = document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return node.range[0];
  }
  return isNode(document.contents) && document.contents.range ? document.contents.range[0] : 0;
}
