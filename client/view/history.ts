/** What a tag pointed at, as a table. Pure. */
import type { TagHistory } from '../../model/tags/shared-tag.ts';
import { timeInWords } from '../../model/base/words.ts';
import { formatTable } from './table.ts';
import { plain, style } from './style.ts';

/** Digits of a digest that tell images apart to a person. */
const SHORT = 'sha256:'.length + 12;

/** A row for each move, the newest first; the first is what it points at now. */
export function renderHistory({ entries }: TagHistory, colour: boolean, columns: number | undefined): string[] {
  const paint = style(colour);
  const rows = [
    ['SINCE', 'DIGEST', 'MADE BY', 'WHY', 'WHO'].map((title) => paint.bold(title)),
    ...entries
      .toReversed()
      .map(({ at, digest, release, kind, why, by }, index) => [
        timeInWords(new Date(at)),
        index === 0 ? paint.green(digest.slice(0, SHORT)) : paint.dim(digest.slice(0, SHORT)),
        release?.replace(/^release\//, '') ?? '',
        kind === 'rollback' ? `rolled back: ${plain(why)}` : plain(why),
        plain(by ?? ''),
      ]),
  ];
  return formatTable(rows, '', columns);
}
