/**
 * What offends the rules of the house today. The list only shrinks: an entry that offends no more fails the test, and
 * `HOUSE_DEBT=shrink npx vitest run --project unit test/unit/house.test.ts` drops such entries.
 */
import { readFileSync, writeFileSync } from 'node:fs';

const FILE = new URL('house-debt.json', import.meta.url);

/** What offends a rule beyond its list, and what is in the list without offending. */
export function overdue(
  rule: string,
  offenders: readonly string[],
): { offends: string[]; 'offends no more': string[] } {
  const debt = JSON.parse(readFileSync(FILE, 'utf8')) as Record<string, string[]>;
  const known = debt[rule] ?? [];
  const mode = process.env.HOUSE_DEBT;
  if (mode === 'shrink' || mode === 'record') {
    const kept = mode === 'record' ? [...offenders] : known.filter((entry) => offenders.includes(entry));
    writeFileSync(FILE, `${JSON.stringify({ ...debt, [rule]: kept.sort() }, null, 2)}\n`);
    return overdueOf(kept, offenders);
  }
  return overdueOf(known, offenders);
}

function overdueOf(known: readonly string[], offenders: readonly string[]) {
  return {
    offends: offenders.filter((entry) => !known.includes(entry)),
    'offends no more': known.filter((entry) => !offenders.includes(entry)),
  };
}
