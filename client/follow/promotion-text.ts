/** A promotion in words. Pure. */
import { remedyText } from '../../model/failure/remedy-text.ts';
import type { Promotion } from '../../model/tags/promotion.ts';
import { plain, style, type Style } from '../view/style.ts';

/** Where a promotion stands: what was promoted to what, and what to do next. */
export function renderPromotion(state: Promotion, colour: boolean): string[] {
  const paint = style(colour);
  const { status, source, target, items, approval, failure, step } = state;
  const done = status === 'promoted';
  const why = approval?.comment ? `: ${plain(approval.comment)}` : '';
  return [
    `${paint.bold(target)} ${painted(status, paint)}: from ${source}${status === 'running' ? `, ${step}` : ''}`,
    ...items.flatMap(({ subject, reference, digest, verified }) => [
      `  ${subject}${verified ? ', verified as a device would' : ''}`,
      `    ${done ? reference : `for ${reference}`}`,
      `    ${paint.dim(digest)}`,
    ]),
    ...(approval ? [`  approved by ${plain(approval.by)} at ${approval.at}${why}`] : []),
    ...(failure ? [`  ${plain(failure.message)}`, `  what to do: ${remedyText(failure, 'promotion', target)}`] : []),
  ];
}

function painted(status: Promotion['status'], paint: Style): string {
  if (status === 'promoted') return paint.green(status);
  if (status === 'running') return paint.cyan(status);
  return status === 'held' ? paint.yellow(status) : paint.red(status);
}
