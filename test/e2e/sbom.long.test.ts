/** Bills of materials on the real tools: Syft lists, flightline attests, cosign verifies. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { recordFrom, runFlightline } from '../support/flightline.ts';
import { makeProject, type Project } from '../support/project.ts';
import { tagsOf } from '../support/registry.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';
import { syftProgram } from '../support/syft.ts';

let stack: TestStack;
let project: Project;
let scratch: string;
let program: string;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'flightline-sbom-test-'));
  // Not there yet: the release is held for it.
  program = join(scratch, 'syft');
  stack = await startTestStack({ workerConfiguration: `tools: { syft: ${program} }\n` });
  project = await makeProject({
    registry: stack.registry,
    name: 'listed',
    // A link that leads out of the image is not followed: what the host has installed is no part of it.
    lines: ['RUN mkdir -p /usr/lib/other/var/lib && ln -s /var/lib/dpkg /usr/lib/other/var/lib/dpkg'],
    image: { sbom: ['spdx', 'cyclonedx'] },
  });
});
afterAll(async () => {
  await project?.remove();
  await stack?.end();
  await rm(scratch, { recursive: true, force: true });
});

async function attested(type: string): Promise<{ predicate: Record<string, unknown> }> {
  const args = ['verify-attestation', '--key', stack.publicKey, '--insecure-ignore-tlog', '--type', type];
  const { stdout } = await execa('cosign', [...args, project.release]);
  const { payload } = JSON.parse(stdout) as { payload: string };
  return JSON.parse(Buffer.from(payload, 'base64').toString('utf8'));
}

it('are made once Syft is there, attested before the tag, and list what the image has installed', async () => {
  const { environment } = stack;
  const first = await runFlightline(['run', project.spec, '--json'], { environment });
  expect(first.exitCode, first.stderr).toBe(4);
  const held = recordFrom(first);
  expect(held.failure).toMatchObject({ kind: 'sbom', stage: 'sbom', message: `there is no ${program} on this host` });
  expect(await tagsOf(project.repository)).toEqual([]);
  await execa('cp', [await syftProgram(), program]);
  await runFlightline(['retry', project.release], { environment });
  const second = await runFlightline(['watch', project.release, '--json'], { environment });
  expect(second.exitCode, second.stderr).toBe(0);
  const record = recordFrom(second);
  expect(record.attestations?.map(({ subject, predicateType, of }) => [subject, predicateType, of])).toEqual([
    ['image', 'https://cyclonedx.org/bom', record.image.digest],
    ['image', 'https://spdx.dev/Document', record.image.digest],
  ]);
  const run = ['run', '--rm', '--pull=never', '--network=none'];
  await execa('podman', ['pull', '--quiet', '--tls-verify=false', project.release], { env: environment });
  const { stdout } = await execa(
    'podman',
    [...run, project.release, 'dpkg-query', '--show', '--showformat', '${Package} ${Version}\\n'],
    { env: environment },
  );
  await execa('podman', ['rmi', '--no-prune', project.release], { env: environment });
  const installed = stdout.split('\n').filter(Boolean).sort();
  expect(installed.length).toBeGreaterThan(50);

  const { predicate: spdx } = await attested('spdxjson');
  expect(spdx).toMatchObject({ spdxVersion: 'SPDX-2.3', name: project.repository });
  const purl = /^pkg:deb\//;
  type Package = { name: string; versionInfo: string; externalRefs?: { referenceLocator: string }[] };
  const debian = (spdx['packages'] as Package[]).filter(({ externalRefs = [] }) =>
    externalRefs.some(({ referenceLocator }) => purl.test(referenceLocator)),
  );
  expect(debian.map(({ name, versionInfo }) => `${name} ${versionInfo}`).sort()).toEqual(installed);

  const { predicate: cyclonedx } = await attested('cyclonedx');
  expect(cyclonedx).toMatchObject({ bomFormat: 'CycloneDX' });
  type Component = { name: string; version: string; purl?: string };
  const components = (cyclonedx['components'] as Component[]).filter((one) => purl.test(one.purl ?? ''));
  expect(components.map(({ name, version }) => `${name} ${version}`).sort()).toEqual(installed);

  // Another mark, and a package less.
  const base = `FROM ${stack.registry}/flightline/debian-base:trixie`;
  const removed = installed.find((line) => /^(?:vim-tiny|nano|less|hostname|tzdata) /.test(line))!.split(' ')[0]!;
  await project.write('Containerfile', `${base}\nRUN dpkg --purge --force-all ${removed}\n`);
  const next = await runFlightline(['run', project.spec, '--tag', 'v2', '--json'], { environment });
  expect(next.exitCode, next.stderr).toBe(0);
  const note = await runFlightline(['diff', project.release, 'v2', '--json'], { environment });
  expect(JSON.parse(note.stdout).platforms[0].packages).toMatchObject({
    added: [],
    changed: [],
    removed: [{ name: removed }],
  });
});
