/**
 * What a registry holds and what was asked of it, seen from outside of flightline: plain HTTP and the registry's own
 * log.
 */
import { readFile } from 'node:fs/promises';

const ACCEPT = [
  'application/vnd.oci.image.manifest.v1+json',
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.v2+json',
].join(', ');

/** Splits `ADDR/path:tag` or `ADDR/path@digest`. */
function parts(reference: string): { registry: string; path: string; name: string } {
  const slash = reference.indexOf('/');
  const rest = reference.slice(slash + 1);
  const at = rest.includes('@') ? rest.indexOf('@') : rest.lastIndexOf(':');
  return { registry: reference.slice(0, slash), path: rest.slice(0, at), name: rest.slice(at + 1) };
}

/** `true` when a registry answers; `undefined` when it does not yet, for those who wait. */
export async function registryAnswers(registry: string): Promise<true | undefined> {
  const answer = await fetch(`http://${registry}/v2/`).catch(() => undefined);
  return answer?.ok || undefined;
}

/** Digest that a tag or digest has now; null when it is not there. */
export async function digestOf(reference: string): Promise<string | null> {
  const { registry, path, name } = parts(reference);
  const answer = await fetch(`http://${registry}/v2/${path}/manifests/${name}`, {
    method: 'HEAD',
    headers: { accept: ACCEPT },
  });
  return answer.ok ? answer.headers.get('docker-content-digest') : null;
}

/** A manifest or index as JSON. */
export async function manifestOf(reference: string): Promise<Record<string, never>> {
  const { registry, path, name } = parts(reference);
  const answer = await fetch(`http://${registry}/v2/${path}/manifests/${name}`, { headers: { accept: ACCEPT } });
  if (!answer.ok) throw new Error(`${reference}: HTTP ${answer.status}`);
  return (await answer.json()) as Record<string, never>;
}

/** A blob's bytes. */
export async function blobOf(repository: string, digest: string): Promise<Buffer> {
  const { registry, path } = parts(`${repository}@${digest}`);
  const answer = await fetch(`http://${registry}/v2/${path}/blobs/${digest}`);
  if (!answer.ok) throw new Error(`${repository}@${digest}: HTTP ${answer.status}`);
  return Buffer.from(await answer.arrayBuffer());
}

/** Tags of a repository, sorted; none when it is not there. */
export async function tagsOf(repository: string): Promise<string[]> {
  const { registry, path } = parts(`${repository}:x`);
  const answer = await fetch(`http://${registry}/v2/${path}/tags/list`);
  if (!answer.ok) return [];
  const { tags } = (await answer.json()) as { tags: string[] | null };
  return (tags ?? []).sort();
}

/** `path:tag` or `path@digest` of every manifest that was stored, in the order of the registry's access log. */
export async function storedManifests(log: string): Promise<string[]> {
  const lines = (await readFile(log, 'utf8')).split('\n');
  return lines.flatMap((line) => {
    const match = /"PUT \/v2\/(\S+)\/manifests\/(\S+) HTTP\/[\d.]+" 201/.exec(line);
    if (!match) return [];
    const [, path, name] = match;
    return [name!.startsWith('sha256:') ? `${path}@${name}` : `${path}:${name}`];
  });
}

/**
 * `path@digest` of every blob whose upload was finished, in the order of the registry's access log; one that was sent
 * twice is twice.
 */
export async function storedBlobs(log: string): Promise<string[]> {
  const lines = (await readFile(log, 'utf8')).split('\n');
  return lines.flatMap((line) => {
    const match = /"PUT \/v2\/(\S+)\/blobs\/uploads\/\S*[?&]digest=(\S+?)(?:&\S*)? HTTP\/[\d.]+" 201/.exec(line);
    return match ? [`${match[1]}@${decodeURIComponent(match[2]!)}`] : [];
  });
}
