/** An image of a few files of this machine, so that containers can run without any registry of images. */
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { execa } from 'execa';

const PROGRAM = '/bin/sleep';

/**
 * Builds an image, different each time, that holds `/bin/sleep`, other programs of this machine by their paths, and
 * files by their content. Returns its id. The caller removes it.
 */
export async function buildSmallImage(
  name: string,
  more: {
    programs?: readonly string[];
    files?: Readonly<Record<string, string | Uint8Array>>;
    entrypoint?: readonly string[];
    /** So that a release can be built on it. */
    bootable?: boolean;
  } = {},
): Promise<string> {
  const context = await mkdtemp(join(tmpdir(), 'flightline-small-image-'));
  try {
    const programs = [PROGRAM, ...(more.programs ?? [])];
    const { stdout } = await execa('ldd', programs);
    const libraries = [...stdout.matchAll(/(\/\S+) \(0x/g)].map((match) => match[1]!);
    for (const [path, text] of Object.entries(more.files ?? {})) {
      await mkdir(join(context, 'root', dirname(path)), { recursive: true });
      await writeFile(join(context, 'root', path), text);
    }
    for (const path of [...programs, ...new Set(libraries)]) {
      await mkdir(join(context, 'root', dirname(path)), { recursive: true });
      await copyFile(path, join(context, 'root', path));
    }
    await writeFile(join(context, 'root', 'made'), `${process.pid} ${process.hrtime.bigint()}`);
    const command = more.entrypoint ? `ENTRYPOINT ${JSON.stringify(more.entrypoint)}` : `CMD ["${PROGRAM}", "600"]`;
    const label = more.bootable ? 'LABEL containers.bootc=1\n' : '';
    const containerfile = `FROM scratch\nCOPY root /\n${label}${command}\n`;
    await writeFile(join(context, 'Containerfile'), containerfile);
    // With layers podman fails when another process removes an image while it looks for a cached one.
    const built = await execa('podman', ['build', '--quiet', '--layers=false', '--tag', name, context]);
    return built.stdout.trim();
  } finally {
    await rm(context, { recursive: true, force: true });
  }
}
