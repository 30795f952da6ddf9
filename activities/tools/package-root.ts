/** Where this package and its code are: the sources, or the build in dist/. */
import { existsSync, readdirSync } from 'node:fs';
import { dirname, extname, join } from 'node:path';

/** `.ts`, or `.js` in dist/. */
const SUFFIX = extname(import.meta.filename);

/** The directory of this package: the closest parent with a package.json. */
export function packageRoot(): string {
  let directory = import.meta.dirname;
  while (!existsSync(join(directory, 'package.json'))) {
    const above = dirname(directory);
    if (above === directory) throw new Error('package.json is missing');
    directory = above;
  }
  return directory;
}

/** The directory of the running code. The build moves code between files, so nothing may be sought beside a source. */
export function codeRoot(): string {
  return SUFFIX === '.js' ? join(packageRoot(), 'dist') : packageRoot();
}

/** The path of a file of code, such as `activities/image/build`, given without its suffix. */
export function codeFile(file: string): string {
  return join(codeRoot(), file + SUFFIX);
}

/** The files of code in a folder such as `client/commands`, without their suffix. */
export function codeFiles(folder: string): string[] {
  return readdirSync(join(codeRoot(), folder))
    .filter((file) => extname(file) === SUFFIX)
    .map((file) => file.slice(0, -SUFFIX.length))
    .sort();
}
