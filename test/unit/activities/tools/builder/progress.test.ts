import { describe, expect, it } from 'vitest';
import { advance, countStages, NO_PROGRESS, withTotal } from '../../../../../activities/tools/builder/progress.ts';

const STEPS = /^(?:Generating manifest|Manifest generation step|Disk image building step)/;
const HEX = 'e0a6d506d86692ba6e776ce7354ac81bfc34ee9659a7db6ee6ae09aab8f4cf81';

describe('progress of a builder run', () => {
  it('counts the stages that have ended, and names the one that runs', () => {
    const lines = [
      'Generating manifest manifest-qcow2.json',
      'Manifest generation step',
      'Disk image building step',
      `starting -Pipeline source org.osbuild.containers-storage: ${HEX}`,
      `Pipeline image: ${HEX}`,
      'Build',
      `org.osbuild.container-deploy: ${HEX} {`,
      '  "image": "org.osbuild.not-a-stage: 12345678"',
      '}',
      'org.osbuild.said by a stage',
      '⏱  Duration: 4.57s',
      `org.osbuild.qemu: ${HEX} {}`,
    ];
    const steps: (typeof NO_PROGRESS)[] = [];
    for (const line of lines) steps.push(advance(steps.at(-1) ?? NO_PROGRESS, line, STEPS));
    expect(steps.map(({ step }) => step)).toEqual([
      'Generating manifest manifest-qcow2.json',
      'Manifest generation step',
      'Disk image building step',
      'Disk image building step',
      'Disk image building step',
      'Disk image building step',
      'org.osbuild.container-deploy',
      'org.osbuild.container-deploy',
      'org.osbuild.container-deploy',
      'org.osbuild.container-deploy',
      'org.osbuild.container-deploy',
      'org.osbuild.qemu',
    ]);
    expect(steps.map(({ done }) => done)).toEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]);
  });

  it('is complete when osbuild says so', () => {
    const running = withTotal({ step: 'org.osbuild.qemu', done: 3, total: undefined }, 5);
    expect(advance(running, 'manifest - finished successfully', STEPS)).toEqual({
      step: 'exporting the disks',
      done: 5,
      total: 5,
    });
  });

  it('never exceeds the total', () => {
    const full = { step: 'org.osbuild.qemu', done: 5, total: 5 };
    expect(advance(full, `org.osbuild.qemu: ${HEX} {}`, STEPS).done).toBe(5);
    expect(withTotal({ step: undefined, done: 9, total: undefined }, 5).done).toBe(5);
  });
});

/** Stages of a pipeline that is made of another one's files, as bib's manifest has them. */
const madeOf = (name: string, stages: number) => [
  ...Array.from({ length: stages - 1 }, () => ({ type: 'org.osbuild.chmod' })),
  {
    type: 'org.osbuild.qemu',
    inputs: {
      image: { type: 'org.osbuild.files', origin: 'org.osbuild.pipeline', references: { [`name:${name}`]: {} } },
    },
  },
];
/** The pipelines of bib 2cc5e95 for any disk type: all of them, whatever is asked for. */
const BIB = {
  version: '2',
  pipelines: [
    { name: 'build', stages: [{}, {}] },
    { name: 'image', build: 'name:build', stages: Array.from({ length: 12 }, () => ({})) },
    { name: 'qcow2', build: 'name:build', stages: madeOf('image', 1) },
    { name: 'vmdk', build: 'name:build', stages: madeOf('image', 1) },
    { name: 'vpc', build: 'name:build', stages: madeOf('image', 1) },
    { name: 'ovf', build: 'name:build', stages: madeOf('vmdk', 2) },
    { name: 'archive', build: 'name:build', stages: [{ inputs: { tree: { references: ['name:ovf'] } } }] },
    { name: 'gce', build: 'name:build', stages: madeOf('image', 1) },
  ],
};

describe('countStages', () => {
  it.each<[string[], number]>([
    [['qcow2'], 15],
    [['image'], 14],
    [['qcow2', 'vmdk'], 16],
    [['image', 'vmdk'], 15],
    [['archive'], 18],
    [['qcow2', 'vmdk', 'vpc', 'archive', 'gce'], 21],
    [['named-otherwise'], 21],
  ])('counts what osbuild runs for %s', (exports, expected) => {
    expect(countStages(JSON.stringify(BIB), exports)).toBe(expected);
  });

  it.each<[string, number | undefined]>([
    ['{"version":"2","pipelines":[{"name":"build","stages":[{},{}]},{"name":"image","stages":[{}]},{"name":"x"}]}', 3],
    ['{"version":"2","pipelines":[{"na', undefined],
    ['{"version":"1"}', undefined],
    ['', undefined],
  ])('%s', (text, expected) => {
    expect(countStages(text, ['image'])).toBe(expected);
  });
});
