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
import { manifestOf, tagsOf } from '../support/registry.ts';
import { sharedStack } from '../support/shared-stack.ts';

const stack = sharedStack();
const { environment, registry } = stack;
const EXAMPLE = join(import.meta.dirname, '../../examples/gate/setuid/setuid.sh');
const COMMENT = 'it stays until the next base';

let project: Project;
let tools: string;
beforeAll(async () => {
  const ports = [registry, stack.temporalAddress].map((address) => address.split(':')[1]!);
  const paths = [stack.directory, stack.work, stack.privateKey, stack.passphrase];
  tools = await publishGateImage(registry, {
    setuid: await readFile(EXAMPLE, 'utf8'),
    hostile: hostileScript({ ports, paths }),
    'usr/share/private': 'secret\n',
  });
  project = await makeProject({
    registry,
    name: 'gated',
    // The smallest base that there is: what gates see of it does not depend on its size.
    containerfile: [
      `FROM ${tools}`,
      'RUN chmod 600 /usr/share/private && ' +
        `ln -s ${stack.privateKey} /usr/share/link && ` +
        'cp /usr/bin/true /usr/bin/surprise && chmod 4755 /usr/bin/surprise',
      '',
    ].join('\n'),
    spec: {
      gates: [
        { name: 'hostile', image: tools, arguments: ['exec bash /hostile'] },
        { name: 'setuid', image: tools, arguments: ['exec sh /setuid "$@"', 'setuid', 'usr/bin/mount'] },
      ],
    },
  });
});
afterAll(() => project?.remove());

it('hold what they refuse before it is sent, and let it go on once a person waives it', async () => {
  const run = (...args: string[]) => runFlightline(args, { environment });
  const first = await run('run', project.spec, '--json');
  expect(first.exitCode, first.stderr).toBe(4);
  const held = recordFrom(first);
  expect(held.failure).toMatchObject({ kind: 'gate', stage: 'gate' });
  expect(held.failure!.message).toContain('setuid or setgid, and not allowed: /usr/bin/surprise');
  expect(held.failure!.message).not.toContain('hostile');
  expect(held.gates).toMatchObject([
    { gate: 'hostile', verdict: 'passed' },
    { gate: 'setuid', verdict: 'refused' },
  ]);
  const { digest } = held.gates![1]!;
  // Nothing was sent: there is no such repository yet.
  expect(await tagsOf(project.repository)).toEqual([]);

  const waived = await run('approve', project.release, '--waive', 'setuid', '--comment', COMMENT, '--json');
  expect(waived.exitCode, waived.stderr).toBe(0);
  expect(JSON.parse(waived.stdout)).toMatchObject({ gate: 'setuid', digests: [digest], resumed: ['image'] });
  const second = await run('watch', project.release, '--json');
  expect(second.exitCode, second.stderr).toBe(0);
  const waiver = { by: expect.any(String) as string, at: expect.any(String) as string, comment: COMMENT };
  expect(recordFrom(second).gates?.[1]).toEqual({
    gate: 'setuid',
    subject: 'image',
    digest,
    verdict: 'waived',
    waiver,
  });
  // What it looked at is what was pushed.
  expect((await manifestOf(project.release))['config']).toMatchObject({ digest });
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
