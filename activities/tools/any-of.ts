/**
 * One expression for several, with the flags of the first: what programs say of one failure takes more alternatives
 * than a line has room for.
 */
export function anyOf(...patterns: readonly [RegExp, ...RegExp[]]): RegExp {
  return new RegExp(patterns.map(({ source }) => source).join('|'), patterns[0].flags);
}
