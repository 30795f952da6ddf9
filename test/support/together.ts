/** Doing the work of many tests that run at the same time: a few at a time, or all at once. */

/** Runs no more than so many bodies at a time; others wait for their turn. */
export function atMost(limit: number): <Result>(body: () => Promise<Result>) => Promise<Result> {
  let running = 0;
  const waiting: (() => void)[] = [];
  return async (body) => {
    if (running >= limit) await new Promise<void>((resolve) => waiting.push(resolve));
    else running += 1;
    try {
      return await body();
    } finally {
      // The next one takes over the place.
      const next = waiting.shift();
      if (next) next();
      else running -= 1;
    }
  };
}

/**
 * Collects inputs until none is still being made, and answers them all with one call of `body`, whose results are in
 * the order of its inputs. An input that fails fails its caller alone.
 */
export function together<Input, Result>(
  body: (inputs: readonly Input[]) => Promise<readonly Result[]>,
): (making: Promise<Input>) => Promise<Result> {
  let inTheMaking = 0;
  let ready: { input: Input; resolve: (result: Result) => void; reject: (error: unknown) => void }[] = [];
  const answer = async () => {
    const batch = ready;
    ready = [];
    try {
      const results = await body(batch.map(({ input }) => input));
      for (const [index, { resolve }] of batch.entries()) resolve(results[index]!);
    } catch (error) {
      for (const { reject } of batch) reject(error);
    }
  };
  return (making) => {
    inTheMaking += 1;
    return new Promise((resolve, reject) => {
      const ended = () => {
        inTheMaking -= 1;
        if (inTheMaking === 0 && ready.length > 0) void answer();
      };
      making.then(
        (input) => {
          ready.push({ input, resolve, reject });
          ended();
        },
        (error: unknown) => {
          reject(error);
          ended();
        },
      );
    });
  };
}
