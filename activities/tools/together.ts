/** At once. */
const AT_ONCE = 6;

/** The results for all items, in order, with a few running at once. */
export async function together<Item, Result>(
  items: readonly Item[],
  body: (item: Item) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  const queue = items.entries();
  const work = async () => {
    for (const [index, item] of queue) results[index] = await body(item);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return results;
}

/** The results of all, once each has ended. Only then throws the first failure in their order. */
export async function allEnded<const Work extends readonly Promise<unknown>[]>(
  work: Work,
): Promise<{ -readonly [Index in keyof Work]: Awaited<Work[Index]> }> {
  await Promise.allSettled(work);
  return Promise.all(work);
}
