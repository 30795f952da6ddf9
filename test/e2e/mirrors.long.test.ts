/** A whole release whose base and builder come from a mirror: nothing answers where their registry should be. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { recordFrom, runFlightline } from '../support/flightline.ts';
import { leftOvers } from '../support/host-state.ts';
import { makeProject, type Project } from '../support/project.ts';
import { digestOf } from '../support/registry.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';

/** An address for documentation (RFC 5737): packets to it go nowhere. */
const UPSTREAM = '192.0.2.1';

let stack: TestStack;
let project: Project;
beforeAll(async () => {
  let registry = '';
  stack = await startTestStack({
    configure: (configuration) => {
      registry = configuration.builders[0]!.split('/')[0]!;
      return {
        ...configuration,
        builders: [...configuration.builders, `${UPSTREAM}/flightline/debian-builder`],
        registries: [...configuration.registries, { location: UPSTREAM, insecure: false, mirrors: [registry] }],
      };
    },
  });
  project = await makeProject({
    registry: stack.registry,
    name: 'mirrored',
    containerfile: [
      `FROM ${UPSTREAM}/flightline/debian-base:trixie AS files`,
      'RUN mkdir /made && echo made > /made/here',
      `FROM ${UPSTREAM}/flightline/debian-base:trixie`,
      'COPY --from=files /made /usr/share/made',
      '',
    ].join('\n'),
    disks: [{ type: 'qcow2' }],
    spec: { builder: { image: `${UPSTREAM}/flightline/debian-builder:1`, rootfs: 'ext4' } },
  });
});
afterAll(async () => {
  await project?.remove();
  await stack?.end();
});

it('is released; its record has the names of the registry with the digests of the mirror', async () => {
  const released = await runFlightline(['run', project.spec, '--json'], { environment: stack.environment });
  expect(released.exitCode, released.stderr).toBe(0);
  const record = recordFrom(released);
  const names = {
    base: `${UPSTREAM}/flightline/debian-base:trixie`,
    builder: `${UPSTREAM}/flightline/debian-builder:1`,
  };
  const inMirror = (name: string) => digestOf(name.replace(UPSTREAM, stack.registry));
  expect(record.inputs!.base[0]).toMatchObject({ reference: names.base, digest: await inMirror(names.base) });
  expect(record.inputs!.builder).toEqual({ reference: names.builder, digest: await inMirror(names.builder) });
  expect(record).toMatchObject({ status: 'released', image: { verified: true }, disks: [{ verified: true }] });

  // The comparison with that record looks the names up again.
  const again = await runFlightline(['run', project.spec, '--json'], { environment: stack.environment });
  expect(recordFrom(again).status).toBe('unchanged');
  expect(await leftOvers(stack)).toEqual([]);
});

it('is held in words that name the mirror that lacks the image, and the registry that does not answer', async () => {
  await project.write('Containerfile', `FROM ${UPSTREAM}/flightline/no-such-base:1\n`);
  const held = await runFlightline(['run', project.spec, '--tag', 'v2', '--json'], {
    environment: stack.environment,
  });
  expect(held.exitCode).toBe(4);
  const { failure } = recordFrom(held);
  expect(failure!.message).toContain(`${stack.registry}/flightline/no-such-base:1`);
  expect(failure!.message).toContain(UPSTREAM);
  const { exitCode } = await runFlightline(['cancel', `${project.repository}:v2`], { environment: stack.environment });
  expect(exitCode).toBe(0);
});
