/** Statistics of measured numbers. Pure. */

export interface Spread {
  least: number;
  median: number;
  most: number;
}

/** Least, middle and most of one or more numbers; of an even count the middle is the mean of the two in the middle. */
export function spread(values: readonly number[]): Spread {
  if (values.length === 0) throw new Error('nothing was measured');
  const sorted = values.toSorted((left, right) => left - right);
  const half = Math.floor(sorted.length / 2);
  const median = sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
  return { least: sorted[0]!, median, most: sorted.at(-1)! };
}

/** A measurement at a size. */
export interface Point {
  size: number;
  value: number;
}

/**
 * The exponent of growth, `b` of `value = a · size^b`: the slope of the least squares line through the logarithms. 1 is
 * proportional, 0 is independent of the size. Takes two or more different sizes, and values above 0.
 */
export function exponent(points: readonly Point[]): number {
  const logs = points.map(({ size, value }) => [Math.log(size), Math.log(value)] as const);
  const mean = (index: 0 | 1) => logs.reduce((sum, pair) => sum + pair[index], 0) / logs.length;
  const [x, y] = [mean(0), mean(1)];
  const above = logs.reduce((sum, [size, value]) => sum + (size - x) * (value - y), 0);
  const below = logs.reduce((sum, [size]) => sum + (size - x) ** 2, 0);
  return above / below;
}
