/** Reads YAML and JSON. Gives each problem of the text its position. Pure. */
import { isAlias, isCollection, isMap, isNode, isPair, LineCounter, parseDocument, visit, type Document } from 'yaml';

/** A problem in a file, with its position (1-based). */
export interface Problem {
  line: number;
  column: number;
  /** Path of keys, such as `disks[0].type`; empty for the whole file. */
  path: string;
  message: string;
}

/** Parsed YAML. */
interface YamlText {
  /** The value; null for an empty text. */
  value: unknown;
  /** The position of a value, or with `key` of its key. Without one, that of the nearest value above. */
  place: (path: readonly PropertyKey[], key?: string) => Pick<Problem, 'line' | 'column'>;
}

/** How often an anchor's content may be repeated. Ten levels of many aliases would fill the memory. */
const MAX_ALIASES = 100;

const MAX_DEPTH = 200;
/** `- - - x`: nested lists in one line. */
const COMPACT_LEVELS = new RegExp(String.raw`(?:[-?:][ \t]+){${MAX_DEPTH}}`);

type ReadYaml = { ok: true; yaml: YamlText } | { ok: false; problems: Problem[] };

/** Reads a text. Reports the first syntax error only, since the others follow from it. */
export function readYaml(text: string): ReadYaml {
  const start = { line: 1, column: 1 };
  if (isTooDeep(text)) return refused(start, 'is nested too deeply');
  try {
    return parse(text);
  } catch (error) {
    // The parser's error for aliases that multiply.
    if (error instanceof ReferenceError) return refused(start, 'its aliases repeat too much');
    throw error;
  }
}

/**
 * Refuses deep nesting. The parser recurses, and V8 ends the process when it compiles a regular expression at the end
 * of the stack. Brackets in strings count too, since no configuration leaves so many open.
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
  // The parser's own warnings would be printed as warnings of Node.
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

/** The first node that no configuration can mean: an alias without an anchor, or a map as a key. */
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

/** Where a `{{name}}` begins an unquoted value; null when none does. */
function unquotedTemplate(text: string): number | null {
  const found = /^[ \t]*(?:[^\s#'"][^\n#'"]*?:[ \t]+)?(?:- +|\[[ \t]*)*\{\{[ \t]*[A-Za-z]\w*[ \t]*\}\}/m.exec(text);
  return found && found.index + found[0].lastIndexOf('{{');
}

/** The offset of a path's node, or of its key. Of an absent node, that of the nearest parent. */
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
