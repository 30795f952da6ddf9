/** Reads Markdown as far as the documentation's tests need it. Pure. */

/** A fenced block. */
export interface Block {
  language: string;
  text: string;
  /** Line of the opening fence, from 1. */
  line: number;
  /** What stands above it: `<!-- background -->` runs until it is stopped, `<!-- console -->` until Ctrl-]. */
  mark: 'background' | 'console' | null;
}

/** The fenced blocks of a Markdown text, in order. */
export function blocksOf(markdown: string): Block[] {
  const fences = /^(<!-- (?:background|console) -->\n\n?)?```([a-z]*)\n([\s\S]*?)^```$/gm;
  return [...markdown.matchAll(fences)].map(({ 1: mark = '', 2: language = '', 3: text = '', index }) => ({
    language,
    text,
    line: markdown.slice(0, index + mark.length).split('\n').length,
    mark: (/[a-z]+/.exec(mark)?.[0] as Block['mark'] | undefined) ?? null,
  }));
}

/** The text without its fenced blocks. */
export function proseOf(markdown: string): string {
  return markdown.replace(/^```[\s\S]*?^```$/gm, '');
}

/** Targets of the links in a text. */
export function linksOf(markdown: string): string[] {
  return [...proseOf(markdown).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target!);
}

/** The text of every `code span`. */
export function spansOf(text: string): string[] {
  return [...text.matchAll(/`([^`]+)`/g)].map(([, code]) => code!);
}

/** The rows of all tables, each a list of cells, without headings. */
export function rowsOf(markdown: string): string[][] {
  const rows: string[][] = [];
  let inTable = false;
  for (const line of proseOf(markdown).split('\n')) {
    if (!line.startsWith('|')) inTable = false;
    else if (/^\|[\s|:-]+\|$/.test(line)) inTable = true;
    else if (inTable) {
      // A bar in a cell is written \|.
      const cells = line.slice(1, -1).split(/(?<!\\)\|/);
      rows.push(cells.map((cell) => cell.trim().replaceAll('\\|', '|')));
    }
  }
  return rows;
}

/** What follows a heading, to the next heading of the same or a higher level. */
export function sectionOf(markdown: string, heading: string): string {
  const lines = markdown.split('\n');
  const start = lines.indexOf(heading);
  if (start < 0) throw new Error(`there is no "${heading}"`);
  const level = heading.indexOf(' ');
  let fenced = false;
  const end = lines.findIndex((line, index) => {
    if (line.startsWith('```')) fenced = !fenced;
    // In a block, # begins a comment.
    return index > start && !fenced && /^#+ /.test(line) && line.indexOf(' ') <= level;
  });
  return lines.slice(start + 1, end < 0 ? undefined : end).join('\n');
}
