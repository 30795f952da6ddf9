/** What `flightline up` asks of a machine before it downloads, compiles or writes anything. */
import { expect, it } from 'vitest';
import { stackNeeds } from '../../../../workers/stack/needs.ts';

const machine = (user: number, ...programs: string[]) => ({
  user,
  find: (names: readonly string[]) =>
    names.filter((name) => programs.includes(name)).map((name) => `/usr/bin/${name}`)[0],
});
const all = { roles: ['control', 'build', 'sign'] as const, ownRegistry: true };

it('is the registry program of a machine that has everything', () => {
  expect(stackNeeds(all, machine(0, 'podman', 'skopeo', 'docker-registry'))).toBe('/usr/bin/docker-registry');
  expect(stackNeeds({ ...all, ownRegistry: false }, machine(0, 'podman', 'skopeo'))).toBeNull();
  expect(stackNeeds({ roles: ['control'], ownRegistry: false }, machine(1000, 'skopeo'))).toBeNull();
});

it('asks for root, and says who does without', () => {
  expect(() => stackNeeds(all, machine(1000, 'podman', 'skopeo', 'registry'))).toThrow(
    expect.objectContaining({
      message: 'a stack is run as root: its disk builders are privileged containers',
      failure: expect.objectContaining({
        kind: 'host-setup',
        remedy: expect.objectContaining({
          then: null,
          action: expect.stringMatching(/sudo env "PATH=\$PATH" flightline up.*without/),
        }),
      }),
    }),
  );
});

it('names everything that is missing at once', () => {
  expect(() => stackNeeds(all, machine(0))).toThrow(
    /^this machine lacks podman 5\.0 or later; skopeo 1\.14 or later; a registry: docker-registry .*--registry$/,
  );
});
