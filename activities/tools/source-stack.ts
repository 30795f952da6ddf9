/** Makes stack traces name the sources, by the source maps beside the built files. */
import { existsSync, readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packageRoot } from './package-root.ts';

const PLACE = /(file:\/\/\/[^\s()]+\.m?js):(\d+):(\d+)/g;

/**
 * A stack trace with positions in the sources: `client/main.ts:17:3`. Reads maps only now; Node's
 * `--enable-source-maps` would read them all at each start.
 */
export function sourceStack(stack: string): string {
  return stack.replaceAll(PLACE, (place, file: string, line: string, column: string) => {
    const map = `${fileURLToPath(file)}.map`;
    if (!existsSync(map)) return place;
    const payload = JSON.parse(readFileSync(map, 'utf8')) as ConstructorParameters<typeof SourceMap>[0];
    const origin = new SourceMap(payload).findOrigin(Number(line), Number(column));
    if (!('fileName' in origin)) return place;
    const source = relative(packageRoot(), fileURLToPath(new URL(origin.fileName, file)));
    return `${source}:${origin.lineNumber}:${origin.columnNumber}`;
  });
}
