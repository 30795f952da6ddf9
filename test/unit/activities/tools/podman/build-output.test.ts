import { describe, expect, it } from 'vitest';
import { BuildOutput, missingImage, type BuiltStep } from '../../../../../activities/tools/podman/build-output.ts';

const BASE = '7e'.repeat(32);
const STEP = '99'.repeat(32);
const debug = (message: string) => `time="2026-11-29T14:42:06Z" level=debug msg=${JSON.stringify(message)}`;
const found = (asked: string, id: string) =>
  debug(`Found image "${asked}" as "${asked}" in local containers storage ([overlay@/root+/run]@${id})`);

const create = (name: string) =>
  debug(
    `Running ["/usr/bin/runc" "create" "--bundle" "/tmp/${name}" "--pid-file" "/tmp/${name}/pid" "buildah-${name}"]`,
  );
const start = (name: string) => debug(`Running ["/usr/bin/runc" "start" "buildah-${name}"]`);
const ended = (name: string) => debug(`"/tmp/${name}/mnt/rootfs" is apparently not really mounted, skipping`);
const run = (name: string) => [create(name), start(name)];

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
    expect(output.cached.map(({ id }) => id)).toEqual([STEP.slice(0, 12)]);
    expect(output.made.size).toBe(0);
  });

  it('tells what each step may have been made from', () => {
    const steps: BuiltStep[] = [];
    const other = '17'.repeat(32);
    const output = new BuildOutput((step) => steps.push(step));
    const lines = [
      'STEP 1/2: FROM r.io/a/base:1 AS one',
      found('r.io/a/base:1', BASE),
      'STEP 2/2: ENV A=$A',
      '--> 000000000001',
      'STEP 1/5: FROM r.io/a/other:2',
      found('r.io/a/other:2', other),
      'STEP 2/5: ARG A',
      '--> 000000000002',
      'STEP 3/5: RUN --mount=type=bind,from=one,target=/m true',
      '--> 000000000003',
      'STEP 4/5: COPY --from=one $A /',
      '--> 000000000004',
      'STEP 5/5: RUN echo $A',
      '--> 000000000005',
      'STEP 1/4: FROM scratch AS One',
      'STEP 2/4: COPY a /',
      '--> 000000000006',
      'STEP 3/4: COPY --from=one $B /',
      '--> 000000000007',
      'STEP 4/4: COPY --from=r.io/a/other:2 /b /',
      '--> 000000000008',
      'STEP 1/2: FROM scratch',
      'STEP 2/2: RUN --mount=type=bind,from="one",target=/m true',
      '--> 000000000009',
    ];
    for (const line of lines) output.read(line);
    const images = [`r.io/a/base:1 ${BASE}`, `r.io/a/other:2 ${other}`];
    const [one, two] = ['000000000001', '000000000005'];
    expect(steps.map(({ origins, isExpanded }) => [origins, isExpanded])).toEqual([
      [[images[0]], false],
      [[images[1]], false],
      [['000000000002', one], false],
      [['000000000003', one], true],
      [['000000000004'], false],
      [['scratch'], false],
      [['000000000006', one], true],
      [['000000000007', ...images, one, two], false],
      [['scratch', ...images, one, two, '000000000008'], false],
    ]);
    expect(new Set(steps.map(({ firstImage }) => firstImage))).toEqual(new Set([BASE]));
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
    expect(output.read(debug('closing stdin'))).toBeNull();
    for (const line of run('b1')) output.read(line);
    expect(output.read(`half a line${debug('closing stdin')}`)).toEqual({ text: 'half a line' });
    expect(output.read('time="now" level=error msg="of a program"')?.text).toContain('of a program');
  });

  const failure = 'error running container: from /usr/bin/runc creating container for [/x]: setting rlimit';
  it.each([
    ['podman, of a container that it could not start', [create('b1'), failure], failure],
    ['podman, of one after another', [...run('b1'), ended('b1'), create('b2'), failure], failure],
    ['a RUN, which was started', [...run('b1'), failure], null],
    ['a RUN that prints notes', [...run('b1'), 'STEP 2/2: RUN y', ended('b2'), create('b2'), failure], null],
    ['a RUN without a runtime', [failure], null],
  ])('knows whose word it is: %s', (_, lines, expected) => {
    expect(read(lines).output.startFailure).toBe(expected);
  });

  it('takes nothing that a RUN prints for a note or a step', () => {
    const printed = [
      found('r.io/a/other:2', STEP),
      'STEP 1/1: FROM r.io/a/other:2',
      `--> ${STEP}`,
      ...run('b2'),
      ended('b2'),
    ];
    const step = `STEP 2/2: RUN ${found('r.io/a/other:2', STEP)}`;
    const { output, shown } = read([step, ...run('b1'), ...printed, `end${ended('b1')}`, found('r.io/a/base:1', BASE)]);
    expect([...output.used.keys()]).toEqual(['r.io/a/base:1']);
    expect([output.usesImage, output.made.size, output.isRunning]).toEqual([false, 0, false]);
    expect(shown).toEqual([step, 'STEP 1/1: FROM r.io/a/other:2', `--> ${STEP}`, 'end']);
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
