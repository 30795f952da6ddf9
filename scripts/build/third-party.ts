import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

interface Package {
  name: string;
  version: string;
  license?: string;
}

const HEAD = `# What dist/ contains of others

The build puts these packages into the files of dist/. Each is used under its own licence.
`;

/**
 * The licences of the packages that are bundled in dist/, by the paths of the bundled files.
 *
 * @throws Error for a package that says no licence.
 */
export async function thirdParty(root: string, bundled: readonly string[]): Promise<string> {
  const folders = new Set<string>();
  for (const path of bundled) {
    const [, folder] = /(node_modules\/(?:.*\/node_modules\/)?(?:@[^/]+\/)?[^/]+)\//.exec(path) ?? [];
    // The source maps of packages also name files that were not published with them.
    if (folder && existsSync(join(root, folder, 'package.json'))) folders.add(folder);
  }
  const parts = await Promise.all([...folders].sort().map((folder) => licenceOf(join(root, folder))));
  return [HEAD, ...new Set(parts)].join('\n');
}

/** The files in the workflow bundle, by the source map that it carries. */
export function filesInWorkflows(bundle: string): string[] {
  const [, map] = /\/\/# sourceMappingURL=data:application\/json;[^,]*base64,(\S+)/.exec(bundle) ?? [];
  if (!map) throw new Error('the workflow bundle has no source map');
  return (JSON.parse(Buffer.from(map, 'base64').toString()) as { sources: string[] }).sources;
}

async function licenceOf(folder: string): Promise<string> {
  const { name, version, license } = JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as Package;
  if (!license) throw new Error(`${name} is bundled, and its package.json names no licence`);
  const files = (await readdir(folder)).filter((file) => /^(?:licen[cs]e|copying|notice)/i.test(file)).sort();
  const texts = await Promise.all(files.map((file) => readFile(join(folder, file), 'utf8')));
  return [`## ${name} ${version}`, `Licence: ${license}`, ...texts.map((text) => `\`\`\`text\n${text.trim()}\n\`\`\``)]
    .map((part) => `${part}\n`)
    .join('\n');
}
