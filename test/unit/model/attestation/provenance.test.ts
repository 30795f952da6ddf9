import { describe, expect, it } from 'vitest';
import { provenanceParameters } from '../../../../model/attestation/parameters.ts';
import {
  BUILD_TYPE,
  provenanceStatement,
  subjectsOf,
  type ProvenanceFacts,
} from '../../../../model/attestation/provenance.ts';
import { isAbout, parseStatement } from '../../../../model/attestation/statement.ts';
import type { ReleaseRecord } from '../../../../model/release/record.ts';
import { digestOf, requestFor } from '../../../workflows/facts.ts';

const REPOSITORY = 'registry.example/acme/edge';
const [image, amd64, arm64, disk, base, builder, context, spec] = 'image amd64 arm64 disk base builder context spec'
  .split(' ')
  .map(digestOf) as [string, string, string, string, string, string, string, string];
const hex = (digest: string) => digest.slice('sha256:'.length);

function factsOf(
  more: Partial<ReleaseRecord> = {},
  made: ProvenanceFacts['made'] = ['image', 'vmdk'],
): ProvenanceFacts {
  const record: ReleaseRecord = {
    schemaVersion: 1,
    release: `release/${REPOSITORY}:v1`,
    runId: 'run',
    status: 'running',
    image: { reference: `${REPOSITORY}:v1`, digest: image, verified: true },
    disks: [
      {
        type: 'vmdk',
        form: 'artifact',
        reference: `${REPOSITORY}/diskimage-vmdk:v1`,
        digest: disk,
        verified: true,
        updateFrom: `${REPOSITORY}:v1`,
        file: null,
      },
      {
        type: 'iso',
        form: 'none',
        reference: null,
        digest: null,
        verified: false,
        updateFrom: `${REPOSITORY}:v1`,
        file: null,
      },
    ],
    inputs: {
      image: digestOf('inputs'),
      disks: { vmdk: digestOf('disk inputs') },
      base: [{ reference: 'registry.example/base:1', digest: base, manifest: amd64, platform: 'amd64' }],
      builder: { reference: 'registry.example/builder:1', digest: builder },
      context,
    },
    stages: [
      row('push', '2026-01-01T00:01:00.000Z', 'host-b'),
      row('build', '2026-01-01T00:00:30.000Z', 'host-a'),
      row('sign', null, null),
    ],
    failure: null,
    ...more,
  };
  const request = requestFor('edge', { disks: { vmdk: 'artifact', iso: 'none' }, source: 'https://git.example/edge' });
  return {
    record,
    parameters: provenanceParameters({ ...request, buildArgs: { MARK: '1' } }, spec),
    made,
    builder: { id: 'https://build.example', version: '1.2.3' },
    finishedAt: '2026-01-01T00:02:00.000Z',
  };
}

function row(name: 'push' | 'build' | 'sign', startedAt: string | null, host: string | null) {
  return { name, subject: 'image', status: 'done', host, attempts: 1, startedAt, durationMs: 1, log: null } as const;
}

describe('the provenance of a release', () => {
  it('says what was made of what, for whom and where', () => {
    const statement = parseStatement(provenanceStatement(factsOf()))!;
    expect(statement).toMatchObject({
      subject: [
        { name: REPOSITORY, digest: { sha256: hex(image) } },
        { name: `${REPOSITORY}/diskimage-vmdk`, digest: { sha256: hex(disk) } },
      ],
      predicateType: 'https://slsa.dev/provenance/v1',
      predicate: {
        buildDefinition: {
          buildType: BUILD_TYPE,
          externalParameters: {
            repository: REPOSITORY,
            tag: 'v1',
            key: 'release',
            buildArgs: { MARK: '1' },
            spec: { digest: { sha256: hex(spec) } },
            builder: { image: 'registry.example/builder:1' },
          },
          internalParameters: { hosts: ['host-b', 'host-a'], imageInputs: digestOf('inputs') },
          resolvedDependencies: [
            {
              name: 'base',
              uri: 'oci://registry.example/base:1',
              digest: { sha256: hex(base) },
              annotations: { platform: 'linux/amd64', manifest: amd64 },
            },
            { name: 'builder', uri: 'oci://registry.example/builder:1', digest: { sha256: hex(builder) } },
            { name: 'context', uri: `oci://${REPOSITORY}/context`, digest: { sha256: hex(context) } },
          ],
        },
        runDetails: {
          builder: { id: 'https://build.example', version: { flightline: '1.2.3' } },
          metadata: {
            invocationId: `release/${REPOSITORY}:v1/run`,
            startedOn: '2026-01-01T00:00:30.000Z',
            finishedOn: '2026-01-01T00:02:00.000Z',
          },
        },
      },
    });
    expect(isAbout(statement, disk)).toBe(true);
    expect(isAbout(statement, base)).toBe(false);
  });

  it('is the same bytes for the same release, so that a later try adopts a signature', () => {
    expect(Buffer.compare(provenanceStatement(factsOf()), provenanceStatement(factsOf()))).toBe(0);
  });

  it('tells the commit of a git context, and who approved', () => {
    const parts = {
      files: '',
      settings: '',
      disks: {},
      bootTest: null,
      config: null,
      place: null,
      commit: 'c'.repeat(40),
    };
    const approval = { by: 'ann@desk', at: '2026-01-01T00:01:30.000Z', comment: 'tested' };
    const { record } = factsOf();
    const given = factsOf({ inputs: { ...record.inputs!, parts }, approval });
    const text = new TextDecoder().decode(provenanceStatement(given));
    expect(JSON.parse(text).predicate.buildDefinition).toMatchObject({
      externalParameters: { approval },
      resolvedDependencies: expect.arrayContaining([
        { name: 'source', uri: 'git+https://git.example/edge', digest: { gitCommit: 'c'.repeat(40) } },
      ]),
    });
  });

  it('says which gates looked at what this release made, and what a person waived', () => {
    const gates: ReleaseRecord['gates'] = [
      { gate: 'licences', subject: 'image', digest: amd64, verdict: 'passed' },
      {
        gate: 'size',
        subject: 'vmdk',
        digest: disk,
        verdict: 'waived',
        waiver: { by: 'ann@desk', at: '2026-01-01T00:01:30.000Z', comment: 'once' },
      },
      { gate: 'size', subject: 'qcow2-arm64', digest: image, verdict: 'passed' },
    ];
    const { record } = factsOf();
    const gate = {
      on: 'disk',
      reference: 'registry.example/gate:1',
      digest: arm64,
      arguments: '0'.repeat(16),
    } as const;
    const pinned = ['licences', 'size'].map((name) => ({ name, ...gate }));
    const given = factsOf({ gates, inputs: { ...record.inputs!, gates: pinned } }, ['vmdk']);
    const { predicate } = JSON.parse(new TextDecoder().decode(provenanceStatement(given)));
    expect(predicate.buildDefinition).toMatchObject({
      externalParameters: {
        waivers: [{ gate: 'size', subject: 'vmdk', digest: { sha256: hex(disk) }, by: 'ann@desk', comment: 'once' }],
      },
    });
    const dependencies = predicate.buildDefinition.resolvedDependencies as { name: string }[];
    expect(dependencies.filter(({ name }) => name === 'gate')).toEqual([
      { name: 'gate', uri: 'oci://registry.example/gate:1', digest: { sha256: hex(arm64) } },
    ]);
    expect(predicate.runDetails.byproducts).toEqual([
      { name: 'gate/size/vmdk', digest: { sha256: hex(disk) }, annotations: { verdict: 'waived' } },
    ]);
    const whole = new TextDecoder().decode(provenanceStatement(factsOf({ gates }, ['image', 'qcow2'])));
    expect(JSON.parse(whole).predicate.runDetails.byproducts).toHaveLength(2);
    expect(new TextDecoder().decode(provenanceStatement(factsOf()))).not.toMatch(/gate|waiver|byproduct/);
  });

  it('speaks of each platform, and not of what was taken over', () => {
    const platforms: NonNullable<ReleaseRecord['image']['platforms']> = [
      { platform: 'amd64', digest: amd64 },
      { platform: 'arm64', digest: arm64 },
    ];
    const several = factsOf({ image: { reference: `${REPOSITORY}:v1`, digest: image, verified: true, platforms } });
    expect(subjectsOf(several).map(({ digest }) => digest['sha256'])).toEqual([image, amd64, arm64, disk].map(hex));
    const [, second] = platforms;
    second!.builtAt = '2025-12-31T00:00:00.000Z';
    expect(subjectsOf(several).map(({ digest }) => digest['sha256'])).toEqual([image, amd64, disk].map(hex));
    expect(subjectsOf({ ...several, made: ['vmdk'] }).map(({ digest }) => digest['sha256'])).toEqual([hex(disk)]);
  });
});
