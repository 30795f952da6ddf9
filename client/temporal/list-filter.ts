/** Which releases the options of `flightline list` mean. Pure. */
import { RELEASE_WORKFLOW } from '../../model/contract/workflows.ts';
import { visibilityQuery, type ListFilter } from '../../model/release/listing.ts';
import { PROMOTION_WORKFLOW } from '../../model/tags/promotion.ts';
import { RELEASE_STATUSES, type ReleaseStatus } from '../../model/stage/stage.ts';
import { UserError } from '../terminal/errors.ts';

/**
 * The filter that the command line means. Pure.
 *
 * @throws UserError `usage` (exit code 2).
 */
export function listFilter(
  { status, repository, since }: { status?: string; repository?: string; since?: string },
  now: Date,
): ListFilter {
  return {
    statuses: status === undefined ? undefined : statusesOf(status),
    repository: repository === undefined ? undefined : scopeOf(repository),
    since: since === undefined ? undefined : sinceOf(since, now),
  };
}

/** The list filter for releases, and for promotions that run or wait: ended ones are in the history of their tag. */
export function listQuery(filter: ListFilter = {}): string {
  const promotions = `${visibilityQuery(PROMOTION_WORKFLOW, filter)} AND ExecutionStatus = 'Running'`;
  return `(${visibilityQuery(RELEASE_WORKFLOW, filter)}) OR (${promotions})`;
}

function statusesOf(text: string): ReleaseStatus[] {
  return text.split(',').map((word) => {
    const known = RELEASE_STATUSES.find((status) => status === word.trim());
    if (known) return known;
    throw new UserError('usage', `there is no status "${word}"`, `statuses are ${RELEASE_STATUSES.join(', ')}`);
  });
}

function scopeOf(text: string): string {
  // A registry, or a path in it; other characters are in no repository's name.
  if (/^[A-Za-z0-9[][A-Za-z0-9._:/[\]-]*$/.test(text)) return text.replace(/\/+$/, '');
  throw new UserError(
    'usage',
    `"${text}" is not a repository`,
    'write it with its registry, without a tag: quay.io/acme',
  );
}

const UNITS: Record<string, number> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 7 * 86_400_000 };

function sinceOf(text: string, now: Date): string {
  const ago = /^(\d{1,5})([mhdw])$/.exec(text.trim());
  const time = ago
    ? now.getTime() - Number(ago[1]) * UNITS[ago[2]!]!
    : /^\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:\d\d)?)?$/.test(text)
      ? Date.parse(text)
      : Number.NaN;
  if (!Number.isNaN(time)) return new Date(time).toISOString();
  throw new UserError('usage', `"${text}" is not a time`, 'write 90m, 12h, 2d or 3w, or a date such as 2026-11-23');
}
