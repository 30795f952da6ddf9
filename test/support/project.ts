/** Projects for tests: a Containerfile and a flightline.yaml in a temporary directory. */
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { stringify } from 'yaml';

export interface ProjectOptions {
  /** `ADDR` of the registry that holds base and builder. */
  registry: string;
  /** Path below the registry; each test its own. */
  name: string;
  tag?: string;
  containerfile?: string;
  /** More lines for the usual Containerfile. */
  lines?: string[];
  disks?: object[];
  /** Merged over the spec. */
  spec?: Record<string, unknown>;
  /** Merged over `image:`. */
  image?: Record<string, unknown>;
  files?: Record<string, string>;
}

export interface Project {
  directory: string;
  spec: string;
  repository: string;
  /** `repository:tag` */
  release: string;
  write(path: string, text: string): Promise<void>;
  remove(): Promise<void>;
}

/** Writes a project on the example base and builder. */
export async function makeProject(options: ProjectOptions): Promise<Project> {
  const directory = await mkdtemp(join(tmpdir(), 'flightline-project-'));
  const repository = `${options.registry}/test/${options.name}`;
  const tag = options.tag ?? 'v1';
  const write = async (path: string, text: string) => {
    await mkdir(dirname(join(directory, path)), { recursive: true });
    await writeFile(join(directory, path), text);
  };
  const base = `${options.registry}/flightline/debian-base:trixie`;
  await write('Containerfile', options.containerfile ?? [`FROM ${base}`, ...(options.lines ?? []), ''].join('\n'));
  await write(
    'flightline.yaml',
    stringify({
      name: basename(options.name),
      image: { repository, tag, ...options.image },
      signing: { key: 'release' },
      disks: options.disks ?? [],
      builder: { image: `${options.registry}/flightline/debian-builder:1`, rootfs: 'ext4' },
      ...options.spec,
    }),
  );
  for (const [path, text] of Object.entries(options.files ?? {})) await write(path, text);
  return {
    directory,
    spec: join(directory, 'flightline.yaml'),
    repository,
    release: `${repository}:${tag}`,
    write,
    remove: () => rm(directory, { recursive: true, force: true }),
  };
}
