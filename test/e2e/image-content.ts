/** What an image or artifact in a registry holds, read without the code under test. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { execa } from 'execa';

/** A file in a layer, as tar knows it. */
export interface LayerFile {
  /** Permissions as `ls` shows them: `-rw-------`. */
  mode: string;
  /** `root/root` */
  owner: string;
  text: string;
  /** Digest of the layer. */
  layer: string;
}

/**
 * A file of an image (path without a leading slash) in the last layer that has it; undefined when none has. Only the
 * layers from there on are fetched.
 */
export async function fileInImage(image: string, path: string): Promise<LayerFile | undefined> {
  const directory = await mkdtemp(join(tmpdir(), 'flightline-image-content-'));
  const repository = image.replace(/[:@][^/]*$/, '').replace('/', '/v2/');
  try {
    const { stdout } = await execa('skopeo', ['inspect', '--raw', '--tls-verify=false', `docker://${image}`]);
    const manifest = JSON.parse(stdout) as { layers: { digest: string }[] };
    for (const { digest } of manifest.layers.toReversed()) {
      const blob = await fetch(`http://${repository}/blobs/${digest}`);
      if (!blob.ok) throw new Error(`${digest} of ${image}: ${blob.status}`);
      await writeFile(join(directory, 'layer'), new Uint8Array(await blob.arrayBuffer()));
      const archive = ['--file', join(directory, 'layer'), path];
      const listed = await execa('tar', ['--list', '--verbose', ...archive], { reject: false });
      if (listed.exitCode !== 0) continue;
      const [mode = '', owner = ''] = listed.stdout.split(/\s+/);
      const { stdout: text } = await execa('tar', ['--extract', '--to-stdout', ...archive], {
        stripFinalNewline: false,
      });
      return { mode, owner, text, layer: digest };
    }
    return undefined;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/**
 * Digests of the blobs in a registry's storage that hold one of some texts, compressed or not.
 *
 * @param since only blobs written since then (milliseconds since 1970)
 */
export async function blobsWith(storage: string, texts: readonly string[], since: number): Promise<string[]> {
  const blobs = join(storage, 'docker/registry/v2/blobs/sha256');
  const found: string[] = [];
  const { stdout } = await execa('find', [blobs, '-name', 'data', '-newermt', `@${Math.floor(since / 1000)}`]);
  for (const file of stdout.split('\n').filter((line) => line !== '')) {
    const bytes = await readFile(file);
    const plain = bytes[0] === 0x1f && bytes[1] === 0x8b ? gunzipSync(bytes) : bytes;
    if (texts.some((text) => plain.includes(text))) found.push(`sha256:${file.split('/').at(-2)}`);
  }
  return found;
}

/** The files below some directories, changed since then (milliseconds since 1970), that hold one of some texts. */
export async function filesWith(
  directories: readonly string[],
  texts: readonly string[],
  since: number,
): Promise<string[]> {
  const existing = [];
  for (const directory of directories) if (await readdir(directory).catch(() => null)) existing.push(directory);
  const patterns = texts.flatMap((text) => ['-e', text]);
  const changed = ['-type', 'f', '-newerct', `@${Math.floor(since / 1000)}`];
  const grep = ['-exec', 'grep', '--files-with-matches', '--fixed-strings', ...patterns, '{}', '+'];
  // Files come and go meanwhile, and grep ends with 1 when nothing matches.
  // Bytes are searched several times as fast as letters.
  const options = { reject: false, env: { LC_ALL: 'C' } };
  const { stdout } = await execa('find', [...existing, ...changed, ...grep], options);
  return stdout.split('\n').filter((line) => line !== '');
}
