/** What is attested of a release, to others: cosign 3, oras 1.3, and the libraries of the specifications. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { withRegistryAccess } from '../../activities/tools/registry/access.ts';
import { sendArtifact } from '../../activities/tools/registry/send-artifact.ts';
import { readPublicKey } from '../../activities/trust/keys.ts';
import { attestationsImage, bundleArtifact, envelopeLayer } from '../../model/attestation/attestation-artifacts.ts';
import { parseEnvelope, type Envelope } from '../../model/attestation/envelope.ts';
import { mergedReferrers } from '../../model/oci/attachment.ts';
import { attestationTag, referrersTag } from '../../model/oci/reference.ts';
import type { PruneReport } from '../../model/release/prune.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';
import type { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { evidenceLibraries, problemsOf } from '../support/evidence-check.ts';
import { recordFrom, runFlightline } from '../support/flightline.ts';
import { cosign3, oras } from '../support/go-program.ts';
import { makeProject, type Project } from '../support/project.ts';
import { blobOf, digestOf, manifestOf, tagsOf } from '../support/registry.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';
import { syftProgram } from '../support/syft.ts';
import { eventually } from '../support/wait.ts';

const SLSA = 'https://slsa.dev/provenance/v1';
/** cosign's names of what a release attests, and the kind of each. */
const ATTESTED = [
  ['slsaprovenance1', 'statement'],
  ['spdxjson', 'spdx'],
  ['cyclonedx', 'cyclonedx'],
] as const;
/** cosign 3 reads bundles unless it is told to read the `.att` tag. */
const FORMS = ['--new-bundle-format=true', '--new-bundle-format=false'] as const;

let stack: TestStack;
let project: Project;
let scratch: string;
let programs: Record<'cosign' | 'oras', string>;
let otherKey: string;
let configuration: WorkerConfiguration;
let record: ReleaseRecord;

beforeAll(async () => {
  programs = { cosign: await cosign3(), oras: await oras() };
  await evidenceLibraries();
  const syft = await syftProgram();
  scratch = await mkdtemp(join(tmpdir(), 'flightline-evidence-test-'));
  otherKey = join(scratch, 'other.pub');
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  await writeFile(otherKey, publicKey.export({ type: 'spki', format: 'pem' }));
  stack = await startTestStack({
    configure: (before) => (configuration = { ...before, tools: { ...before.tools, syft } }),
  });
  project = await makeProject({
    registry: stack.registry,
    name: 'evidence',
    lines: ['LABEL which=evidence'],
    image: { sbom: ['spdx', 'cyclonedx'], alsoTag: ['latest'], updateFrom: 'latest' },
    spec: { provenance: true },
  });
  const run = await runFlightline(['run', project.spec, '--json'], { environment: stack.environment });
  if (run.exitCode !== 0) throw new Error(run.stderr);
  record = recordFrom(run);
}, 60 * 60_000);
afterAll(async () => {
  await project?.remove();
  await stack?.end();
  await rm(scratch, { recursive: true, force: true });
});

const cosign = (command: 'verify' | 'verify-attestation', key: string, ...args: string[]) =>
  execa(programs.cosign, [command, '--key', key, '--insecure-ignore-tlog', ...args], { reject: false });

/** The bytes of the statement that a verification has printed. */
function statementIn(stdout: string): string {
  const { payload } = JSON.parse(stdout.trim().split('\n')[0]!) as { payload: string };
  return Buffer.from(payload, 'base64').toString('utf8');
}

it.each(ATTESTED)('%s: cosign 3 verifies both forms, and what they hold is as specified', async (type, kind) => {
  for (const form of FORMS) {
    const verified = await cosign('verify-attestation', stack.publicKey, form, '--type', type, project.release);
    expect(verified.exitCode, `${form}: ${verified.stderr}`).toBe(0);
    const refused = await cosign('verify-attestation', otherKey, form, '--type', type, project.release);
    expect(refused.exitCode, form).not.toBe(0);
    if (form !== FORMS[1]) continue;
    const statement = statementIn(verified.stdout);
    const { predicate } = JSON.parse(statement) as { predicate: unknown };
    const document = kind === 'statement' ? statement : JSON.stringify(predicate);
    expect(await problemsOf(kind, document)).toEqual([]);
    const changed = { statement: ['"buildType"', '"buildTypE"'], spdx: ['"SPDXID"', '"SPDXIB"'] };
    const [from, to] = kind === 'cyclonedx' ? ['"CycloneDX"', '"CycloneDY"'] : changed[kind];
    expect(document).toContain(from);
    expect(await problemsOf(kind, document.replace(from!, to!))).not.toEqual([]);
  }
});

it('cosign 3 verifies the signature, and not by another key', async () => {
  const verified = await cosign('verify', stack.publicKey, project.release);
  expect(verified.exitCode, verified.stderr).toBe(0);
  expect((await cosign('verify', otherKey, project.release)).exitCode).not.toBe(0);
});

it('oras discovers every bundle that the record links', async () => {
  const { stdout } = await execa(programs.oras, ['discover', '--plain-http', '--format=json', project.release]);
  const { referrers } = JSON.parse(stdout) as { referrers: { digest: string; artifactType: string }[] };
  expect(record.attestations!.map(({ digest }) => digest).toSorted()).toEqual(
    referrers.map(({ digest }) => digest).toSorted(),
  );
  expect(referrers).toHaveLength(3);
});

/** Puts an envelope beside a copy of the image, in both forms. @returns the copy's `repository:tag` */
async function besideACopy(name: string, envelope: Envelope): Promise<string> {
  const repository = `${stack.registry}/test/${name}`;
  const insecure = ['--src-tls-verify=false', '--dest-tls-verify=false', '--remove-signatures', '--preserve-digests'];
  await execa('skopeo', ['copy', ...insecure, `docker://${project.release}`, `docker://${repository}:v1`]);
  const digest = record.image.digest!;
  const der = (await readPublicKey(stack.publicKey)).export({ type: 'spki', format: 'der' });
  await withRegistryAccess(configuration, [repository], async (access) => {
    const place = access.repository(repository);
    const { layer, bytes } = envelopeLayer(envelope, SLSA);
    const options = { timeout: 60_000 };
    const tagged = { repository, tag: attestationTag(digest) };
    await sendArtifact(
      access,
      tagged,
      { layout: attestationsImage([layer]), blobs: [{ digest: layer.digest, bytes }] },
      options,
    );
    const image = (await place.getManifest(digest))!;
    const subject = { mediaType: image.mediaType, digest, size: image.bytes.length };
    const { layout, blob } = bundleArtifact(envelope, { predicateType: SLSA, publicKey: der, subject });
    await sendArtifact(
      access,
      { repository },
      { layout, blobs: [{ digest: blob.descriptor.digest, bytes: blob.bytes }] },
      options,
    );
    const listed = mergedReferrers(null, layout.root, layout.documents.at(-1)!.bytes)!;
    await place.putManifest(referrersTag(digest), {
      mediaType: listed.descriptor.mediaType,
      bytes: Buffer.from(listed.bytes),
    });
  });
  return `${repository}:v1`;
}

it('cosign 3 takes both forms as they were signed, and neither with one byte changed', async () => {
  const { digest } = record.attestations!.find(({ predicateType }) => predicateType === SLSA)!;
  const { layers } = (await manifestOf(`${project.repository}@${digest}`)) as unknown as {
    layers: { digest: string }[];
  };
  const bundle = JSON.parse((await blobOf(project.repository, layers[0]!.digest)).toString('utf8')) as object;
  const envelope = parseEnvelope((bundle as { dsseEnvelope: unknown }).dsseEnvelope)!;
  const statement = Buffer.from(envelope.payload, 'base64').toString('utf8');
  const changed = statement.replace('"name":"evidence"', '"name":"evidencf"');
  expect(changed).not.toBe(statement);
  const intact = await besideACopy('intact', envelope);
  const payload = Buffer.from(changed).toString('base64');
  const tampered = await besideACopy('tampered', { ...envelope, payload });
  for (const form of FORMS) {
    const args = [form, '--type', 'slsaprovenance1'];
    const taken = await cosign('verify-attestation', stack.publicKey, ...args, intact);
    expect(taken.exitCode, `${form}: ${taken.stderr}`).toBe(0);
    const refused = await cosign('verify-attestation', stack.publicKey, ...args, tampered);
    expect(refused.exitCode, form).not.toBe(0);
    expect(refused.stderr, form).toMatch(/signature|verif/i);
  }
});

it('a later release counts the packages of its update, and prune removes what is attested of an older', async () => {
  const { environment } = stack;
  const before = record.image.digest!;
  const base = `${stack.registry}/flightline/debian-base:trixie`;
  await project.write('Containerfile', `FROM ${base}\nRUN dpkg --purge --force-all tzdata\n`);
  const run = await runFlightline(['run', project.spec, '--tag', 'v2', '--json'], { environment });
  expect(run.exitCode, run.stderr).toBe(0);
  const { image, attestations } = recordFrom(run);
  const packages = { added: 0, removed: 1, changed: 0 };
  expect(image.updates).toEqual([expect.objectContaining({ digest: before, packages })]);

  // What is there of the older one was made seconds ago.
  const args = ['prune', project.repository, '--keep-last', '1', '--keep-within', '1m', '--json'];
  const pruned = await eventually(
    'the older release is old enough',
    async () => {
      const { stdout } = await runFlightline(args, { environment });
      const { removed } = JSON.parse(stdout) as PruneReport;
      return removed.length > 0 ? removed : undefined;
    },
    { timeout: 180_000, interval: 5_000 },
  );
  expect(pruned.flatMap(({ tags }) => tags)).toContain('v1');
  const tags = await tagsOf(project.repository);
  expect(tags.filter((tag) => tag.includes(before.slice('sha256:'.length)))).toEqual([]);
  for (const { digest } of record.attestations!) expect(await digestOf(`${project.repository}@${digest}`)).toBeNull();
  for (const { digest } of attestations!) expect(await digestOf(`${project.repository}@${digest}`)).toBe(digest);
  for (const form of FORMS) {
    const name = `${project.repository}:v2`;
    const kept = await cosign('verify-attestation', stack.publicKey, form, '--type', 'spdxjson', name);
    expect(kept.exitCode, kept.stderr).toBe(0);
  }
});
