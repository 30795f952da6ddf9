/** Joins expressions into one with the flags of the first, since the alternatives do not fit into a line. */
export function anyOf(...patterns: readonly [RegExp, ...RegExp[]]): RegExp {
  return new RegExp(patterns.map(({ source }) => source).join('|'), patterns[0].flags);
}
