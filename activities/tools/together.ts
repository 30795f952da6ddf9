/** At once. */
const AT_ONCE = 6;

/**
 * The results for all items, in order, with a few running at once. When one fails, no other is begun, and those that
 * run are waited for; then throws the first failure in the order of the items.
 */
export async function together<Item, Result>(
  items: readonly Item[],
  body: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  const failures: { index: number; error: unknown }[] = [];
  const queue = items.entries();
  const work = async () => {
    for (const [index, item] of queue) {
      try {
        results[index] = await body(item);
      } catch (error) {
        failures.push({ index, error });
      }
      if (failures.length > 0) return;
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  const [first] = failures.toSorted((left, right) => left.index - right.index);
  if (first) throw first.error;
  return results;
}

/** The results of all, once each has ended. Only then throws the first failure in their order. */
export async function allEnded<const Work extends readonly Promise<unknown>[]>(
  work: Work,
): Promise<{ -readonly [Index in keyof Work]: Awaited<Work[Index]> }> {
  await Promise.allSettled(work);
  return Promise.all(work);
}
