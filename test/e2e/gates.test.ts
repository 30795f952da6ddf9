/** Gates on the real tools: a hostile one reaches nothing, one that refuses holds, and a person waives it. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { recordFrom, runFlightline } from '../support/flightline.ts';
import { hostileScript, publishGateImage } from '../support/gate-image.ts';
import { leftOvers } from '../support/host-state.ts';
import { makeProject, type Project } from '../support/project.ts';
import { blobOf, digestOf, manifestOf, tagsOf } from '../support/registry.ts';
import { sharedStack } from '../support/shared-stack.ts';

const stack = sharedStack();
const { environment, registry } = stack;
const EXAMPLE = join(import.meta.dirname, '../../examples/gate/setuid.sh');
const COMMENT = 'it stays until the next base';

/** Of a manifest. */
interface Manifest {
  config: { digest: string };
  layers: { digest: string }[];
}
const manifest = async (reference: string) => (await manifestOf(reference)) as unknown as Manifest;

let project: Project;
let tools: string;
beforeAll(async () => {
  const ports = [registry, stack.temporalAddress].map((address) => address.split(':')[1]!);
  const paths = [stack.directory, stack.work, stack.privateKey, stack.passphrase];
  tools = await publishGateImage(registry, {
    setuid: await readFile(EXAMPLE, 'utf8'),
    hostile: hostileScript({ ports, paths }),
  });
  project = await makeProject({
    registry,
    name: 'gated',
    lines: [
      `RUN ln -s ${stack.privateKey} /usr/share/link`,
      'RUN echo secret >/usr/share/private && chmod 600 /usr/share/private',
      'RUN cp /bin/true /usr/bin/surprise && chmod 4755 /usr/bin/surprise',
    ],
    spec: {
      provenance: true,
      gates: [
        { name: 'hostile', image: tools, arguments: ['exec bash /hostile'] },
        { name: 'setuid', image: tools, arguments: ['exec sh /setuid "$@"', 'setuid', 'usr/bin/su'] },
      ],
    },
  });
});
afterAll(() => project?.remove());

it('hold what they refuse before it is sent; a waiver stands in record and provenance', async () => {
  const run = (...args: string[]) => runFlightline(args, { environment });
  const first = await run('run', project.spec, '--json');
  expect(first.exitCode, first.stderr).toBe(4);
  const held = recordFrom(first);
  expect(held.failure).toMatchObject({ kind: 'gate', stage: 'gate' });
  expect(held.failure!.message).toContain('/usr/bin/surprise');
  expect(held.failure!.message).not.toContain('hostile');
  expect(held.gates).toMatchObject([
    { gate: 'hostile', verdict: 'passed' },
    { gate: 'setuid', verdict: 'refused' },
  ]);
  const { digest } = held.gates![1]!;
  // Nothing was sent: there is no such repository yet.
  expect(await tagsOf(project.repository)).toEqual([]);
  const report = (await run('logs', project.release, 'gate')).stdout;
  expect(report).toContain(`-- gate hostile on image ${digest} passed --`);
  expect(report).toContain('setuid or setgid, and not allowed: /usr/bin/surprise');

  const other = `sha256:${'0'.repeat(64)}`;
  const waive = ['approve', project.release, '--waive', 'setuid'];
  const another = await run(...waive, '--comment', COMMENT, '--digest', other);
  expect(another.exitCode).toBe(2);
  expect(another.stderr).toContain(`does not hold ${other}: it holds ${digest}`);
  expect((await run(...waive)).stderr).toContain('needs a reason');
  const waived = await run(...waive, '--comment', COMMENT, '--json');
  expect(waived.exitCode, waived.stderr).toBe(0);
  expect(JSON.parse(waived.stdout)).toMatchObject({ gate: 'setuid', digests: [digest], resumed: ['image'] });

  const second = await run('watch', project.release, '--json');
  expect(second.exitCode, second.stderr).toBe(0);
  const record = recordFrom(second);
  const waiver = { by: expect.any(String) as string, at: expect.any(String) as string, comment: COMMENT };
  expect(record.gates?.[1]).toEqual({ gate: 'setuid', subject: 'image', digest, verdict: 'waived', waiver });
  // What it looked at is what was pushed.
  expect((await manifest(project.release)).config.digest).toBe(digest);
  const published = await manifest(`${project.repository}/release:v1`);
  const signed = JSON.parse((await blobOf(`${project.repository}/release`, published.layers[0]!.digest)).toString());
  expect(signed.gates).toEqual(record.gates);

  const statements = `${project.repository}:${record.image.digest!.replace(':', '-')}.att`;
  const envelope = (await manifest(statements)).layers[0]!.digest;
  const { payload } = JSON.parse((await blobOf(project.repository, envelope)).toString()) as { payload: string };
  const { predicate } = JSON.parse(Buffer.from(payload, 'base64').toString());
  const hex = (text: string) => ({ sha256: text.slice('sha256:'.length) });
  expect(predicate.buildDefinition.externalParameters).toMatchObject({
    gates: [{ name: 'hostile' }, { name: 'setuid', image: tools }],
    waivers: [{ gate: 'setuid', subject: 'image', digest: hex(digest), comment: COMMENT }],
  });
  expect(predicate.buildDefinition.resolvedDependencies).toContainEqual({
    name: 'gate',
    uri: `oci://${tools}`,
    digest: hex((await digestOf(tools))!),
  });
  expect(predicate.runDetails.byproducts).toEqual([
    { name: 'gate/hostile/image', digest: hex(digest), annotations: { verdict: 'passed' } },
    { name: 'gate/setuid/image', digest: hex(digest), annotations: { verdict: 'waived' } },
  ]);
  expect((await run('status', project.release)).stdout).toContain(`gate: setuid on image: waived by`);
  expect(await leftOvers(stack)).toEqual([]);
});

it('the example is content when every file is named', async () => {
  const root = await mkdtemp(join(tmpdir(), 'flightline-gate-root-'));
  try {
    await writeFile(join(root, 'su'), '', { mode: 0o755 });
    await execa('chmod', ['4755', join(root, 'su')]);
    const check = (...args: string[]) => execa('sh', [EXAMPLE, ...args], { env: { ROOT: root }, reject: false });
    expect(await check('su')).toMatchObject({ exitCode: 0 });
    expect(await check('mount')).toMatchObject({ exitCode: 1, stdout: 'setuid or setgid, and not allowed: /su' });
  } finally {
    await rm(root, { recursive: true, force: true });
  }
});
