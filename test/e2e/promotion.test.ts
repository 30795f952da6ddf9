/**
 * Promotion, approval and rollback on the real tools; what they did is asserted from the registry and its access log.
 */
import { createPublicKey } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { parse } from 'yaml';
import planRollback from '../../activities/tags/plan-rollback.ts';
import { DEFAULT_TIMING } from '../../model/base/timing.ts';
import { withUserAccess } from '../../activities/tools/registry/access.ts';
import { verifiedRelease } from '../../client/bundle/verified.ts';
import { attestationTag, referrersTag, signatureTag } from '../../model/oci/reference.ts';
import { attestationsImage } from '../../model/attestation/attestation-artifacts.ts';
import { sha256 } from '../../model/base/digest.ts';
import { ReleaseList } from '../../model/release/listing.ts';
import { Promotion } from '../../model/tags/promotion.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';
import { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { sharedTagId, TagHistory } from '../../model/tags/shared-tag.ts';
import { recordFrom, runFlightline, type CommandOutcome } from '../support/flightline.ts';
import { makeProject, type Project } from '../support/project.ts';
import { blobOf, digestOf, manifestOf, storedManifests, tagsOf } from '../support/registry.ts';
import { putLayout } from './published-release.ts';
import { sharedStack } from '../support/shared-stack.ts';
import { withClient } from '../support/stack.ts';

const stack = sharedStack();
const { environment } = stack;
/** The stack's key may sign below its own registry. */
const PRODUCTION = `${stack.registry}/test/production/promoted`;

let project: Project;
let scratch: string;
let first: ReleaseRecord;
let second: ReleaseRecord;
/** Of image and disk, the image's first. */
let blobs: { configs: string[]; layers: string[] };

const flightline = (...args: string[]) => runFlightline(args, { environment });
const promotionOf = (outcome: CommandOutcome): Promotion => {
  const parsed = Promotion.safeParse(JSON.parse(outcome.stdout || 'null'));
  if (!parsed.success)
    throw new Error(`no promotion (exit code ${outcome.exitCode}): ${outcome.stdout} ${outcome.stderr}`);
  return parsed.data;
};
const verified = async (name: string) => {
  const outcome = await flightline('verify', name, '--key', stack.publicKey, '--json');
  expect(outcome.exitCode, outcome.stderr).toBe(0);
  return (JSON.parse(outcome.stdout) as { digest: string }).digest;
};
const historyOf = async (name: string) => {
  const outcome = await flightline('history', name, '--json');
  expect(outcome.exitCode, outcome.stderr).toBe(0);
  return TagHistory.parse(JSON.parse(outcome.stdout)).entries;
};
/** Lines of the registry's access log since a length of it. */
const logged = async (since: number) => (await readFile(stack.registryLog, 'utf8')).slice(since).split('\n');

interface Manifest {
  manifests?: { digest: string }[];
  config?: { digest: string };
  layers?: { digest: string; mediaType: string; size: number; annotations?: Record<string, string> }[];
}
interface Statement {
  subject: object[];
  predicate: object;
}
/** Digests of the blobs of a manifest or index and its entries: configurations, and what holds the bytes. */
async function blobsOf(repository: string, digest: string): Promise<{ configs: string[]; layers: string[] }> {
  const { manifests = [], config, layers = [] } = (await manifestOf(`${repository}@${digest}`)) as Manifest;
  const inner = await Promise.all(manifests.map((entry) => blobsOf(repository, entry.digest)));
  return {
    configs: [...(config ? [config.digest] : []), ...inner.flatMap((one) => one.configs)],
    layers: [...layers.map((layer) => layer.digest), ...inner.flatMap((one) => one.layers)],
  };
}

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'flightline-promotion-test-'));
  project = await makeProject({
    registry: stack.registry,
    name: 'promoted',
    image: { alsoTag: ['nightly'], compression: 'zstd:chunked' },
    disks: [{ type: 'vmdk' }],
    spec: { provenance: true },
    // Else another spec is another context.
    files: { '.containerignore': 'flightline.yaml\n' },
  });
  const outcome = await flightline('run', project.spec, '--json');
  first = recordFrom(outcome);
  if (outcome.exitCode !== 0) throw new Error(outcome.stderr);
  const { digest } = first.disks[0]!;
  const image = await blobsOf(project.repository, first.image.digest!);
  const disk = await blobsOf(`${project.repository}/diskimage-vmdk`, digest!);
  blobs = { configs: [...image.configs, ...disk.configs], layers: [...image.layers, ...disk.layers] };
});

afterAll(async () => {
  await withClient(stack, async (client) => {
    for await (const { workflowId } of client.workflow.list({ query: "WorkflowType = 'sharedTag'" })) {
      if (workflowId.includes('promoted')) await client.workflow.getHandle(workflowId).terminate('end of test');
    }
  }).catch(() => undefined);
  await project?.remove();
  await rm(scratch, { recursive: true, force: true });
});

const PROVENANCE = 'https://slsa.dev/provenance/v1';
/** The predicates that cosign verifies by a key, without the transparency log that flightline does not write to. */
const attestedBy = async (key: string, name: string) => {
  const args = ['verify-attestation', '--key', key, '--insecure-ignore-tlog', '--type', 'slsaprovenance1', name];
  const { stdout, stderr, exitCode } = await execa('cosign', args, { reject: false });
  if (exitCode !== 0) return stderr;
  const statements = stdout.split('\n').map((line) => JSON.parse(line) as { payload: string });
  return statements.map(({ payload }) => JSON.parse(Buffer.from(payload, 'base64').toString('utf8')) as Statement);
};
const layersOf = async (name: string) => ((await manifestOf(name)) as Manifest).layers!;

it('attests how image and disk were made before any tag moves, so that cosign verifies it, and it alone', async () => {
  const [disk] = first.disks;
  expect(first.attestations?.map(({ subject, predicateType }) => [subject, predicateType])).toEqual([
    ['image', PROVENANCE],
    ['vmdk', PROVENANCE],
  ]);
  const hex = (digest: string | null) => digest!.slice('sha256:'.length);
  for (const name of [project.release, disk!.reference!]) {
    expect(await attestedBy(stack.publicKey, name)).toMatchObject([
      {
        subject: [
          { name: project.repository, digest: { sha256: hex(first.image.digest) } },
          { name: `${project.repository}/diskimage-vmdk`, digest: { sha256: hex(disk!.digest) } },
        ],
        predicate: {
          buildDefinition: {
            externalParameters: {
              repository: project.repository,
              spec: { digest: { sha256: sha256(await readFile(project.spec)) } },
            },
            resolvedDependencies: [
              { name: 'base', digest: { sha256: hex(first.inputs!.base[0]!.digest) } },
              { name: 'builder', digest: { sha256: hex(first.inputs!.builder!.digest) } },
              { name: 'context', digest: { sha256: hex(first.inputs!.context) } },
            ],
          },
          runDetails: { metadata: { invocationId: `${first.release}/${first.runId}` } },
        },
      },
    ]);
  }
  const path = project.repository.slice(stack.registry.length + 1);
  const stored = (await storedManifests(stack.registryLog)).filter((name) => name.startsWith(path));
  for (const { subject, digest } of first.attestations!) {
    const [place, of] = subject === 'image' ? [path, first.image.digest] : [`${path}/diskimage-vmdk`, disk!.digest];
    for (const name of [attestationTag(of!), referrersTag(of!)]) {
      expect(stored.indexOf(`${place}:${name}`)).toBeGreaterThanOrEqual(0);
      expect(stored.indexOf(`${place}:v1`)).toBeGreaterThan(stored.indexOf(`${place}:${name}`));
    }
    const listed = (await manifestOf(`${stack.registry}/${place}:${referrersTag(of!)}`)) as Manifest;
    expect(listed.manifests).toMatchObject([{ digest, artifactType: 'application/vnd.dev.sigstore.bundle.v0.3+json' }]);
    const bundle = (await manifestOf(`${stack.registry}/${place}@${digest}`)) as Manifest;
    expect(bundle).toMatchObject({ subject: { digest: of } });
    const envelope = await blobOf(
      `${stack.registry}/${place}`,
      (await layersOf(`${stack.registry}/${place}:${attestationTag(of!)}`))[0]!.digest,
    );
    const inside = await blobOf(`${stack.registry}/${place}`, bundle.layers![0]!.digest);
    expect(JSON.parse(String(inside)).dsseEnvelope).toEqual(JSON.parse(String(envelope)));
  }
});

it('cosign and flightline add to each other’s attestations, and another key or byte is refused', async () => {
  const other = join(scratch, 'other');
  const passphrase = ['--passphrase-file', stack.passphrase];
  await execa('skopeo', ['generate-sigstore-key', '--output-prefix', other, ...passphrase]);
  expect(await attestedBy(`${other}.pub`, project.release)).toMatch(/no matching attestations|invalid signature/);
  // cosign takes a predicate of this type only if SLSA's schema does.
  const [{ predicate }] = (await attestedBy(stack.publicKey, project.release)) as [Statement];
  await writeFile(join(scratch, 'predicate.json'), JSON.stringify(predicate));
  const args = ['attest', '--yes', '--key', `${other}.private`, '--tlog-upload=false', '--type', 'slsaprovenance1'];
  const env = { COSIGN_PASSWORD: (await readFile(stack.passphrase, 'utf8')).trim() };
  const about = `${project.repository}@${first.image.digest}`;
  await execa('cosign', [...args, '--predicate', join(scratch, 'predicate.json'), about], { env });
  expect(await attestedBy(`${other}.pub`, project.release)).toHaveLength(1);
  expect(await attestedBy(stack.publicKey, project.release)).toHaveLength(1);

  const tag = attestationTag(first.image.digest!);
  const manifest = (await manifestOf(`${project.repository}:${tag}`)) as Manifest;
  const blob = await blobOf(project.repository, manifest.layers![0]!.digest);
  const envelope = JSON.parse(String(blob)) as { payload: string };
  const changed = Buffer.from(envelope.payload, 'base64');
  changed[changed.indexOf('promoted')]! ^= 1;
  const copy = `${stack.registry}/test/promoted-changed`;
  const tls = ['--src-tls-verify=false', '--dest-tls-verify=false'];
  await execa('skopeo', ['copy', ...tls, `docker://${about}`, `docker://${copy}:v1`]);
  const attachedTo = async (bytes: Buffer) => {
    const layer = { ...manifest.layers![0]!, digest: `sha256:${sha256(bytes)}`, size: bytes.length };
    await putLayout(copy, attestationsImage([layer]), bytes, tag);
    return attestedBy(stack.publicKey, `${copy}:v1`);
  };
  expect(await attachedTo(Buffer.from(blob))).toHaveLength(1);
  const forged = Buffer.from(JSON.stringify({ ...envelope, payload: changed.toString('base64') }));
  expect(await attachedTo(forged)).toMatch(/no matching attestations/);

  // What goes into a bundle, or comes out of one, is asked for the same.
  const { repository } = project;
  const named = { image: { repository, tag: 'v1' }, record: { repository: `${repository}/release`, tag: 'v1' } };
  const key = createPublicKey(await readFile(stack.publicKey));
  const bundled = () => withUserAccess((access) => verifiedRelease(access, named, key));
  expect((await bundled()).record.attestations).toHaveLength(2);
  const there = (await digestOf(`${repository}:${tag}`))!;
  const layer = { ...manifest.layers![0]!, digest: `sha256:${sha256(forged)}`, size: forged.length };
  await putLayout(repository, attestationsImage([layer]), forged, tag);
  await expect(bundled()).rejects.toThrow(/the provenance of sha256:\S+ is missing, or the key did not sign it/);
  await execa('skopeo', ['copy', ...tls, `docker://${repository}@${there}`, `docker://${repository}:${tag}`]);
});

function promoteWithApproval() {
  return flightline('promote', project.release, '--to', `${PRODUCTION}:v1`, '--approval', 'required', '--json');
}

it('is listed while it waits, and may be cancelled', async () => {
  expect((await promoteWithApproval()).exitCode).toBe(4);
  const listed = await flightline('list', '--status', 'held', '--repository', PRODUCTION, '--json');
  expect(ReleaseList.parse(JSON.parse(listed.stdout)).releases).toMatchObject([
    { reference: `promote/${PRODUCTION}:v1`, status: 'held' },
  ]);
  expect(promotionOf(await flightline('status', `${PRODUCTION}:v1`, '--json'))).toMatchObject({ status: 'held' });
  const cancelled = await flightline('cancel', `${PRODUCTION}:v1`, '--json');
  expect(cancelled.exitCode, cancelled.stderr).toBe(0);
  expect(promotionOf(cancelled)).toMatchObject({ status: 'cancelled' });
  expect((await flightline('cancel', `${PRODUCTION}:v1`)).stderr).toContain('had ended before it could be cancelled');
});

it('waits for approval, and a rejected promotion leaves nothing', async () => {
  const waits = await promoteWithApproval();
  expect(waits.exitCode, waits.stderr).toBe(4);
  expect(promotionOf(waits)).toMatchObject({ status: 'held', failure: { kind: 'approval-needed' } });
  const again = await flightline('promote', project.release, '--to', `${PRODUCTION}:v1`);
  expect(again.exitCode).toBe(6);
  const rejected = await flightline('reject', `${PRODUCTION}:v1`, '--comment', 'not on a Friday', '--json');
  expect(rejected.exitCode, rejected.stderr).toBe(0);
  const seen = await flightline('watch', `promote/${PRODUCTION}:v1`, '--json');
  expect(seen.exitCode).toBe(1);
  expect(promotionOf(seen).failure).toMatchObject({
    kind: 'rejected',
    message: expect.stringMatching(/rejected .*: not on a Friday$/),
  });
  for (const repository of ['', '/diskimage-vmdk', '/release']) {
    expect(await tagsOf(`${PRODUCTION}${repository}`)).toEqual([]);
  }
});

it('gives an approved one the same digests under the new name, reading and sending no layer and no disk', async () => {
  const since = (await readFile(stack.registryLog, 'utf8')).length;
  const waits = await promoteWithApproval();
  expect(waits.exitCode, waits.stderr).toBe(4);
  expect((await flightline('approve', `${PRODUCTION}:v1`, '--comment', 'tested', '--json')).exitCode).toBe(0);
  const done = await flightline('watch', `promote/${PRODUCTION}:v1`, '--json');
  expect(done.exitCode, done.stderr).toBe(0);
  const promotion = promotionOf(done);
  expect(promotion).toMatchObject({ status: 'promoted', key: 'release', approval: { comment: 'tested' } });
  expect(promotion.items.every(({ mounted }) => mounted !== null && mounted > 0)).toBe(true);

  const requests = (await logged(since)).flatMap(
    (line) => /"([A-Z]+ \/v2\/\S+) HTTP\/[\d.]+" 20\d/.exec(line)?.[1] ?? [],
  );
  const of = (digests: readonly string[]) =>
    requests.map(decodeURIComponent).filter((request) => digests.some((digest) => request.includes(digest)));
  const mounts = of([...blobs.layers, ...blobs.configs]).filter((request) => /^POST .*mount=/.test(request));
  expect(new Set(mounts).size).toBe(blobs.layers.length + blobs.configs.length);
  expect(of(blobs.layers).filter((request) => !request.startsWith('HEAD ') && !mounts.includes(request))).toEqual([]);
  // skopeo reads an image's configuration, a few kB, whenever it signs or verifies; the mount itself does not.
  expect(
    of([blobs.configs[0]!]).filter((request) => !/^(?:HEAD|GET) /.test(request) && !mounts.includes(request)),
  ).toEqual([]);
  // The requests that would show it are seen: the record's own blob was sent.
  expect(requests.filter((request) => /^PUT \/v2\/\S*\/release\/blobs\//.test(request))).not.toEqual([]);

  for (const name of [`${PRODUCTION}:v1`, `${PRODUCTION}/diskimage-vmdk:v1`]) {
    expect(await attestedBy(stack.publicKey, name)).toHaveLength(1);
  }
  expect(await verified(`${PRODUCTION}:v1`)).toBe(first.image.digest);
  expect(await verified(`${PRODUCTION}/diskimage-vmdk:v1`)).toBe(first.disks[0]!.digest);
  expect(await verified(project.release)).toBe(first.image.digest);
  await verified(`${PRODUCTION}/release:v1`);
  const [layer] = ((await manifestOf(`${PRODUCTION}/release:v1`)) as Manifest).layers!;
  expect(JSON.parse(String(await blobOf(`${PRODUCTION}/release`, layer!.digest)))).toMatchObject({
    release: `release/${project.release}`,
    image: { reference: `${PRODUCTION}:v1`, digest: first.image.digest },
    disks: [{ reference: `${PRODUCTION}/diskimage-vmdk:v1`, digest: first.disks[0]!.digest }],
    promotion: { source: project.release },
    approval: { comment: 'tested' },
    attestations: first.attestations,
  });
});

it('moves a tag on with a second release, back by a rollback, and tells it all', async () => {
  const stable = `${project.repository}:stable`;
  const disk = `${project.repository}/diskimage-vmdk:stable`;
  const one = await flightline('promote', project.release, '--to', 'stable', '--json');
  expect(one.exitCode, one.stderr).toBe(0);
  await project.write(
    'Containerfile',
    `FROM ${stack.registry}/flightline/debian-base:trixie\nRUN echo 2 > /usr/share/mark\n`,
  );
  const outcome = await flightline('run', project.spec, '--tag', 'v2', '--json');
  second = recordFrom(outcome);
  expect(outcome.exitCode, outcome.stderr).toBe(0);
  const { layers } = (await manifestOf(`${project.repository}:v2`)) as Manifest;
  expect(new Set(layers!.map(({ mediaType }) => mediaType))).toEqual(
    new Set(['application/vnd.oci.image.layer.v1.tar+zstd']),
  );
  // Only the RUN makes another layer.
  expect(second.image.updates).toMatchObject([
    { from: `${project.repository}:nightly`, digest: first.image.digest, layers: 1 },
  ]);
  const two = await flightline('promote', `${project.repository}:nightly`, '--to', 'stable', '--json');
  expect(two.exitCode, two.stderr).toBe(0);
  expect(await digestOf(stable)).toBe(second.image.digest);
  expect(await digestOf(disk)).toBe(second.disks[0]!.digest);

  const since = (await readFile(stack.registryLog, 'utf8')).length;
  const back = await flightline('promote', project.release, '--to', 'stable', '--json');
  expect(back.exitCode).toBe(1);
  expect(promotionOf(back).failure).toMatchObject({ kind: 'back-in-time' });
  // Its signatures were not even looked at: none was made for a name that it does not get.
  expect((await logged(since)).filter((line) => line.includes(signatureTag(first.image.digest!)))).toEqual([]);
  expect(await digestOf(stable)).toBe(second.image.digest);

  const rollback = await flightline('rollback', stable, '--comment', 'v2 does not boot', '--json');
  expect(rollback.exitCode, rollback.stderr).toBe(0);
  expect(await verified(stable)).toBe(first.image.digest);
  expect(await verified(disk)).toBe(first.disks[0]!.digest);
  expect(await digestOf(`${project.repository}/release:stable`)).toBe(promotionOf(one).record);
  expect((await historyOf(stable)).map(({ kind, digest, release }) => [kind, digest, release])).toEqual([
    ['promotion', first.image.digest, first.release],
    ['promotion', second.image.digest, second.release],
    ['rollback', first.image.digest, first.release],
  ]);
  const { repository } = project;
  const configured = parse(await readFile(join(stack.directory, 'worker.yaml'), 'utf8')) as object;
  const plan = (approvals: string[], more: object) => {
    const at = { repository, tag: 'stable', recordRepository: `${repository}/release`, ...more };
    const input = { ...at, record: promotionOf(one).record!, timing: DEFAULT_TIMING };
    return planRollback({ configuration: WorkerConfiguration.parse({ ...configured, approvals }) }, input);
  };
  await expect(plan([disk.slice(0, -':stable'.length)], {})).rejects.toMatchObject({
    failure: { kind: 'approval-needed', message: expect.stringContaining(disk) },
  });
  const elsewhere = { repository: `${repository}/of-another-project` };
  await expect(plan([], elsewhere)).rejects.toMatchObject({ failure: { kind: 'invalid-input' } });
  expect((await plan([], {})).moves).toHaveLength(3);
  const none = await flightline('rollback', stable);
  expect([none.exitCode, none.stderr]).toEqual([
    1,
    expect.stringContaining('nothing is known that it pointed at before'),
  ]);
});

it('keeps what alsoTag moved, and without its workflow says what the registry does', async () => {
  const nightly = `${project.repository}:nightly`;
  const entries = await historyOf(nightly);
  expect(entries.map(({ kind, digest, release }) => [kind, digest, release])).toEqual([
    ['release', first.image.digest, first.release],
    ['release', second.image.digest, second.release],
  ]);
  expect(entries.every(({ record }) => record !== null)).toBe(true);
  const rollback = await flightline('rollback', nightly);
  expect(rollback.exitCode, rollback.stderr).toBe(0);
  expect(await verified(nightly)).toBe(first.image.digest);
  await withClient(stack, (client) =>
    client.workflow.getHandle(sharedTagId(project.repository, 'nightly')).terminate('as a lost database'),
  );
  const after = await flightline('history', nightly, '--json');
  expect(JSON.parse(after.stdout)).toMatchObject({
    complete: false,
    entries: [{ kind: 'found', digest: first.image.digest, release: first.release }],
  });
  // A record that is named brings it back also without a history.
  const forth = await flightline('rollback', nightly, '--to', 'v2');
  expect(forth.exitCode, forth.stderr).toBe(0);
  expect(await digestOf(nightly)).toBe(second.image.digest);
});

it('refuses what it cannot promote, with nothing done', async () => {
  const missing = await flightline('promote', `${project.repository}:v9`, '--to', 'stable', '--json');
  expect(missing.exitCode).toBe(1);
  expect(promotionOf(missing).failure).toMatchObject({ kind: 'invalid-input', message: expect.stringContaining('v9') });
  const taken = await flightline('promote', `${project.repository}:v2`, '--to', 'v1', '--json');
  expect(promotionOf(taken).failure).toMatchObject({ kind: 'tag-exists' });
  const key = await flightline('promote', project.release, '--to', 'beta', '--key', 'other', '--json');
  expect(promotionOf(key).failure).toMatchObject({ kind: 'key-missing' });
  expect(await digestOf(`${project.repository}:beta`)).toBeNull();
});

it('says what a registry has lost; run makes that, and what the spec asks for since, and nothing else', async () => {
  const name = `${project.repository}:v2`;
  const [disk] = second.disks;
  const { manifests } = (await manifestOf(`${project.repository}/diskimage-vmdk:v2`)) as Manifest;
  // What garbage-collect --delete-untagged of this registry did when entries had no tags.
  const entry = `http://${stack.registry}/v2/test/promoted/diskimage-vmdk/manifests/${manifests![0]!.digest}`;
  expect((await fetch(entry, { method: 'DELETE' })).status).toBe(202);
  expect(await digestOf(disk!.reference!)).toBe(disk!.digest);
  const refused = await flightline('promote', name, '--to', 'broken');
  expect(refused.exitCode).toBe(1);
  expect(refused.stdout + refused.stderr).toContain(`diskimage-vmdk has lost the manifest ${manifests![0]!.digest}`);
  expect(refused.stdout + refused.stderr).toContain(`release ${name} again`);

  const spec = await readFile(project.spec, 'utf8');
  await project.write('flightline.yaml', spec.replace(/alsoTag:\n(\s+)- nightly\n/, '$&$1- fixed\n'));
  const run = recordFrom(await flightline('run', project.spec, '--tag', 'v2', '--json'));
  expect(run).toMatchObject({
    status: 'released',
    image: { reference: name, digest: second.image.digest },
    reason: expect.stringMatching(/^\S+:v2 was not tagged fixed; disk vmdk \S+:v2 has lost the manifest sha256:/),
  });
  const stages = run.stages.map(({ name: stage, subject, status }) => `${stage} ${subject} ${status}`);
  expect(stages).toEqual(expect.arrayContaining(['build image skipped', 'push image skipped', 'publish vmdk done']));
  // The image keeps the provenance of the release that made it, and only the disk gets one.
  expect(run.attestations).toEqual([
    ...second.attestations!.filter(({ subject }) => subject === 'image'),
    { subject: 'vmdk', of: run.disks[0]!.digest, predicateType: PROVENANCE, digest: expect.stringMatching(/^sha256:/) },
  ]);
  expect(await verified(`${project.repository}:fixed`)).toBe(second.image.digest);
  expect(await verified(`${project.repository}/diskimage-vmdk:v2`)).toBe(run.disks[0]!.digest);
  expect(await verified(`${project.repository}/diskimage-vmdk:v2-amd64`)).toMatch(/^sha256:/);
  const whole = await flightline('run', project.spec, '--tag', 'v2');
  expect(whole.exitCode, whole.stderr).toBe(0);
  expect(whole.stdout + whole.stderr).toContain('present in full, and signed for its names: yes');
  const promoted = await flightline('promote', name, '--to', 'whole', '--json');
  expect(promoted.exitCode, promoted.stderr).toBe(0);
});
