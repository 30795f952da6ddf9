/** A release in a bundle: into a registry that shares nothing with the first, and what was changed goes nowhere. */
import { generateKeyPairSync, randomInt } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Bundle } from '../../client/bundle/bundle.ts';
import { unpackBundle } from '../../client/bundle/pack-bundle.ts';
import { verifiedBundle } from '../../client/bundle/verified.ts';
import { contextTag, signatureTag } from '../../model/oci/reference.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';
import { runFlightline, startFlightline, type CommandOutcome } from '../support/flightline.ts';
import { startOwnRegistry, type OwnRegistry } from '../support/own-registry.ts';
import { digestOf, tagsOf } from '../support/registry.ts';
import { publishRelease, signerWith, speakOf, tagAs } from './published-release.ts';

const own = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const foreign = generateKeyPairSync('ec', { namedCurve: 'P-256' });

let directory: string;
let key: string;
let source: string;
let target: OwnRegistry;
let record: ReleaseRecord;
let attached: string[];
let file: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'flightline-bundle-test-'));
  key = join(directory, 'key.pub');
  file = join(directory, 'v1.tar');
  await writeFile(key, own.publicKey.export({ type: 'spki', format: 'pem' }));
  await writeFile(join(directory, 'foreign.pub'), foreign.publicKey.export({ type: 'spki', format: 'pem' }));
  const first = await startOwnRegistry();
  source = `${first.address}/acme/edge`;
  const sign = signerWith(own.privateKey);
  record = await publishRelease({ repository: source, tag: 'v1', at: 1_700_000_000_000, sign, disk: true });
  attached = await speakOf(source, record.image.digest!);
  const made = await flightline('bundle', `${source}:v1`, '--output', file, '--key', key);
  if (made.exitCode !== 0) throw new Error(made.stderr);
  // From here on nothing can be read there.
  await first.stop();
  target = await startOwnRegistry();
});
afterAll(async () => {
  await target?.stop();
  await rm(directory, { recursive: true, force: true });
});

const flightline = (...args: string[]) => runFlightline(args, { environment: { TMPDIR: directory } });
const importTo = (repository: string, ...more: string[]): Promise<CommandOutcome> =>
  flightline('import', file, '--to', repository, '--key', key, ...more);

/** Requests that write, as `PUT /v2/…`. */
async function writesTo(repository: string): Promise<string[]> {
  const lines = (await readFile(target.log, 'utf8')).split('\n');
  const path = repository.slice(repository.indexOf('/') + 1);
  return lines.flatMap((line) => {
    const [, request] = /"((?:PUT|POST|PATCH|DELETE) \S+)/.exec(line) ?? [];
    return request?.includes(`/v2/${path}/`) ? [request] : [];
  });
}

/** Blobs that were sent or mounted, with their repository below it. */
async function uploadsTo(repository: string): Promise<string[]> {
  return (await writesTo(repository)).flatMap(
    (one) => /(\S+?)\/blobs\/uploads\/\S*((?:digest|mount)=[^ &]+)/.exec(one)?.slice(1).join() ?? [],
  );
}

/** Writes what devices need, with the key where it lies here. @returns arguments for skopeo */
async function deviceOf(repository: string): Promise<string[]> {
  const root = await mkdtemp(join(directory, 'device-'));
  const args = ['--imported-from', source, '--repository', repository, '--public-key', key, '--output', root];
  const { exitCode, stderr } = await flightline('device-config', ...args);
  expect(exitCode, stderr).toBe(0);
  const policy = join(root, 'etc/containers/policy.json');
  await writeFile(policy, (await readFile(policy, 'utf8')).replaceAll('/etc/pki', join(root, 'etc/pki')));
  return ['--policy', policy, '--registries.d', join(root, 'etc/containers/registries.d')];
}

const pull = async (device: readonly string[], name: string) => {
  const to = await mkdtemp(join(directory, 'pulled-'));
  const args = ['copy', '--src-tls-verify=false', '--all', '--remove-signatures', `docker://${name}`, `dir:${to}`];
  return execa('skopeo', [...device, ...args], { reject: false });
};

describe('a bundle', () => {
  it('brings a release to another registry, where devices accept it by its name alone', async () => {
    const to = `${target.address}/plant/camera`;
    const { exitCode, stderr, stdout } = await importTo(to, '--json');
    expect(exitCode, stderr).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ policy: { prefix: to, signedPrefix: source } });
    const [disk] = record.disks;
    expect(await digestOf(`${to}:v1`)).toBe(record.image.digest);
    expect(await digestOf(`${to}/diskimage-vmdk:v1`)).toBe(disk!.digest);
    expect(await tagsOf(`${to}/diskimage-vmdk`)).toContain('v1-amd64');
    for (const digest of attached) expect(await digestOf(`${to}@${digest}`)).toBe(digest);
    expect(await tagsOf(to)).toEqual(
      expect.arrayContaining([signatureTag(record.image.digest!), contextTag(record.image.digest!)]),
    );

    const device = await deviceOf(to);
    expect((await pull(device, `${to}:v1`)).stderr).toBe('');
    expect((await pull(device, `${to}/diskimage-vmdk:v1`)).exitCode).toBe(0);
    expect((await pull(device, `${to}/release:v1`)).exitCode).toBe(0);
    // The name counts, as it does where the release was made.
    await tagAs(to, 'v1', 'v2');
    expect((await pull(device, `${to}:v2`)).stderr).toMatch(/is not accepted/);

    // What the registry has there stays, no tag moves unasked, and nothing is sent twice.
    await signerWith(foreign.privateKey)(to, record.image.digest!, ['v1']);
    await tagAs(to, signatureTag(record.image.digest!), 'v1');
    const refused = await importTo(to);
    expect(refused.exitCode).toBe(1);
    expect(refused.stderr).toMatch(/:v1 points at .*--replace/s);
    const before = await uploadsTo(to);
    const moved = await importTo(to, '--replace');
    expect(moved.exitCode, moved.stderr).toBe(0);
    const [joined, ...others] = (await uploadsTo(to)).slice(before.length);
    expect([joined, others]).toEqual([expect.stringContaining('digest='), []]);
    const verified = await flightline('verify', `${to}:v1`, '--key', join(directory, 'foreign.pub'));
    expect(verified.exitCode, verified.stderr).toBe(0);
    expect((await pull(device, `${to}:v1`)).exitCode).toBe(0);
  });

  it('that is interrupted is gone on with: no tag before, and each blob once', async () => {
    const to = `${target.address}/plant/killed`;
    const running = startFlightline(['import', file, '--to', to, '--key', key], { environment: { TMPDIR: directory } });
    const watch = setInterval(() => {
      void writesTo(to).then((writes) => writes.some((one) => one.includes('digest=')) && running.kill('SIGKILL'));
    }, 10);
    const { exitCode } = await running;
    clearInterval(watch);
    if (exitCode !== 0) expect(await tagsOf(`${to}/release`)).not.toContain('v1');
    expect((await importTo(to)).exitCode).toBe(0);
    expect(await digestOf(`${to}/release:v1`)).not.toBeNull();
    const uploads = await uploadsTo(to);
    expect(new Set(uploads).size).toBe(uploads.length);
  });
});

describe('what is not the bundle that was made', () => {
  it('writes nothing, whichever byte was changed', async () => {
    const bytes = await readFile(file);
    const at = (text: string) => bytes.indexOf(text);
    const places = [0, 300, 511, at('index.json'), at('"manifests"'), at('v1'), at('schemaVersion'), bytes.length - 1];
    for (let one = 0; one < 10; one++) places.push(randomInt(bytes.length));
    const changed = join(directory, 'changed.tar');
    for (const place of places) {
      const other = Buffer.from(bytes);
      other[place]! ^= 1 << randomInt(8);
      expect(other.equals(bytes), String(place)).toBe(false);
      await writeFile(changed, other);
      const scratch = join(directory, 'scratch');
      await mkdir(scratch, { recursive: true });
      const verified = unpackBundle(changed, scratch)
        .then((index) => Bundle.open(scratch, index))
        .then((bundle) => verifiedBundle(bundle, own.publicKey));
      await expect(verified, `byte ${place} of ${bytes.length}`).rejects.toMatchObject({ name: 'UserError' });
      await rm(scratch, { recursive: true });
    }
  });

  it.each([
    [
      'a changed byte',
      async () => {
        const bytes = await readFile(file);
        bytes[bytes.indexOf('docker-reference')]! ^= 1;
        return { bytes, with: key };
      },
      /damaged or was changed/,
    ],
    [
      'half of it',
      async () => {
        const bytes = await readFile(file);
        return { bytes: bytes.subarray(0, bytes.length / 2), with: key };
      },
      /damaged or was changed/,
    ],
    [
      'another key',
      async () => ({ bytes: await readFile(file), with: join(directory, 'foreign.pub') }),
      /that the key signed/,
    ],
  ])('is refused before anything is written: %s', async (name, make, said) => {
    const to = `${target.address}/plant/refused-${name.replaceAll(' ', '-')}`;
    const { bytes, with: publicKey } = await make();
    const path = join(directory, 'refused.tar');
    await writeFile(path, bytes);
    const { exitCode, stderr } = await flightline('import', path, '--to', to, '--key', publicKey);
    expect(stderr).toMatch(said);
    expect(exitCode).toBe(1);
    expect(await writesTo(to)).toEqual([]);
  });
});
