import { describe, expect, it } from 'vitest';
import { BuildOutput, missingImage } from '../../../../../activities/tools/podman/build-output.ts';

const BASE = '7e'.repeat(32);
const STEP = '99'.repeat(32);
const debug = (message: string) => `time="2026-11-29T14:42:06Z" level=debug msg=${JSON.stringify(message)}`;
const found = (asked: string, id: string) =>
  debug(`Found image "${asked}" as "${asked}" in local containers storage ([overlay@/root+/run]@${id})`);

function read(lines: readonly string[]): { output: BuildOutput; shown: string[] } {
  const output = new BuildOutput();
  const shown = lines.flatMap((line) => output.read(line)?.text ?? []);
  return { output, shown };
}

describe('what podman prints of a build', () => {
  it('names the images that it took, and not those between its steps', () => {
    const { output, shown } = read([
      '[2/3] STEP 1/3: FROM r.io/a/base:1 AS one',
      found('r.io/a/base:1', BASE),
      '[2/3] STEP 2/3: COPY --from=${V} /a /b',
      found('r.io/a/other:2', '17'.repeat(32)),
      `--> Using cache ${STEP}`,
      '--> 999999999999',
      found(STEP, STEP),
      'text of a RUN',
    ]);
    expect([...output.used.values()]).toEqual([
      { asked: 'r.io/a/base:1', name: 'r.io/a/base:1', id: BASE },
      { asked: 'r.io/a/other:2', name: 'r.io/a/other:2', id: '17'.repeat(32) },
    ]);
    expect(shown).toHaveLength(5);
    expect(output.cached).toEqual([{ instruction: 'COPY --from=${V} /a /b', id: STEP.slice(0, 12) }]);
    expect(output.made.size).toBe(0);
  });

  it('names an image that the Containerfile asks for by its id, and one that lies in the context', () => {
    const { output } = read([
      found(BASE, BASE),
      debug('Pulling image oci:./out.oci (policy: never)'),
      found(`sha256:${STEP}`, STEP),
    ]);
    expect([...output.used.keys()]).toEqual([BASE, 'oci:./out.oci']);
  });

  it('names an archive of the context, and not the names that are in it', () => {
    const archive = 'docker-archive:./out.tar';
    const { output } = read([
      debug(`Pulling image ${archive} (policy: never)`),
      found('registry.example/a:1', BASE),
      found('registry.example/b:1', BASE),
      debug(`Pulling image ${STEP} (policy: never)`),
      found(STEP, STEP),
    ]);
    expect([...output.used.keys()]).toEqual([archive, STEP]);
  });

  it.each([
    ['FROM registry.example/base:1 AS x', true],
    ['from --platform=linux/amd64 oci:./out', true],
    ['FROM scratch', false],
    ['FROM scratch AS x', false],
    [`FROM ${BASE}`, false],
    [`FROM --platform=linux/amd64 ${BASE} AS x`, false],
    ['RUN echo FROM base', false],
  ])('knows whether %s is built on an image from outside', (step, uses) => {
    const output = new BuildOutput();
    output.read(`STEP 1/2: ${step}`);
    expect(output.usesImage).toBe(uses);
  });

  it('tells steps, and shows what a RUN printed without a line feed', () => {
    const output = new BuildOutput();
    expect(output.begun).toBe(false);
    expect(output.read('[1/2] STEP 2/4: RUN x')?.step).toEqual({ instruction: 'RUN x', number: 2, total: 4 });
    expect(output.begun).toBe(true);
    expect(output.read(`half a line${debug('closing stdin')}`)).toEqual({ text: 'half a line' });
    expect(output.read(debug('closing stdin'))).toBeNull();
    expect(output.read('time="now" level=error msg="of a program"')?.text).toContain('of a program');
  });

  const create = debug('Running ["/usr/bin/runc" "create" "--bundle" "/tmp/b"]');
  const start = debug('Running ["/usr/bin/runc" "start" "b"]');
  const failure = 'error running container: from /usr/bin/runc creating container for [/x]: setting rlimit';
  it.each([
    ['podman, of a container that it could not start', [create, failure], failure],
    ['a RUN, which was started', [create, start, failure], null],
    ['a RUN, after one that was not', [create, 'STEP 2/2: RUN y', create, start, failure], null],
    ['a RUN that prints notes', [create, start, 'STEP 2/2: RUN y', create, failure], null],
    ['a RUN without a runtime', [failure], null],
  ])('knows whose word it is: %s', (_, lines, expected) => {
    expect(read(lines).output.startFailure).toBe(expected);
  });

  it.each([
    ['Error: creating build container: r.io/a/nope:1: image not known', 'r.io/a/nope:1'],
    ['Error: COPY --from=r.io/a/nope:7: no stage or image found with that name', 'r.io/a/nope:7'],
    [
      'Error: type=bind,from=r.io/a/nope:2,target=/x from=r.io/a/nope:2: no stage or image found with that name',
      'r.io/a/nope:2',
    ],
    ['Error: building at STEP "RUN x": while running runtime: exit status 1', null],
  ])('%s', (error, image) => {
    expect(missingImage(error)).toBe(image);
  });
});
