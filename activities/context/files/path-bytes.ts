/** Paths are bytes, which need not be UTF-8. Pure. */

/** UTF-8 as Go reads it, for rules and names: each invalid byte becomes U+FFFD. */
export function textOfBytes(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  if (!text.includes('\uFFFD')) return text;
  let read = '';
  for (let at = 0; at < bytes.length;) {
    const length = [1, 2, 3, 4].find((count) => {
      const part = bytes.subarray(at, at + count);
      return part.length === count && Buffer.from(part.toString('utf8')).equals(part);
    });
    read += length === undefined ? '\uFFFD' : bytes.toString('utf8', at, at + length);
    at += length ?? 1;
  }
  return read;
}

/** A path in one line, for messages. */
export function showPath(bytes: Buffer): string {
  // oxlint-disable-next-line no-control-regex
  return textOfBytes(bytes).replace(/[\u0000-\u001f\u007f]/g, (character) => JSON.stringify(character).slice(1, -1));
}
