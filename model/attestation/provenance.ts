/**
 * The provenance of a release: SLSA Provenance v1 about its image and disks, made from its record. docs/provenance.md
 * has the build type. https://slsa.dev/spec/v1.0/provenance
 */
import { isOfParts } from '../gate/gate.ts';
import type { PinnedImage, ReleaseRecord } from '../release/record.ts';
import type { ProvenanceParameters } from './parameters.ts';
import { digestSet, statementBytes, type ResourceDescriptor } from './statement.ts';

/** Names docs/provenance.md of this version. It changes with the meaning of what stands in a provenance. */
export const BUILD_TYPE = 'urn:flightline:build-type:release:v1';

/** What a provenance is made of. */
export interface ProvenanceFacts {
  record: ReleaseRecord;
  parameters: ProvenanceParameters;
  /** `image` and types of disks: what this release made. */
  made: readonly string[];
  builder: { id: string; version: string };
  /** ISO 8601. */
  finishedAt: string;
}

/** The statement. It has one subject or more: see {@link subjectsOf}. */
export function provenanceStatement(facts: ProvenanceFacts): Uint8Array {
  const { record, parameters, builder, finishedAt } = facts;
  const { spec, builder: asked, disks, ...external } = parameters;
  const hosts = [...new Set(record.stages.flatMap(({ host }) => host ?? []))];
  const { inputs, approval } = record;
  const verdicts = (record.gates ?? []).filter((one) => isOfParts(one, facts.made));
  const waivers = verdicts.flatMap(({ gate, subject, digest, waiver }) =>
    waiver ? [{ gate, subject, digest: digestSet(digest), ...waiver }] : [],
  );
  return statementBytes(subjectsOf(facts), 'https://slsa.dev/provenance/v1', {
    buildDefinition: {
      buildType: BUILD_TYPE,
      externalParameters: {
        ...external,
        spec: { digest: digestSet(spec) },
        disks,
        ...(disks.length > 0 && { builder: asked }),
        ...(approval && { approval }),
        ...(waivers.length > 0 && { waivers }),
      },
      internalParameters: { hosts, imageInputs: inputs?.image, diskInputs: inputs?.disks },
      resolvedDependencies: dependencies(facts),
    },
    runDetails: {
      builder: { id: builder.id, version: { flightline: builder.version } },
      metadata: {
        invocationId: `${record.release}/${record.runId}`,
        startedOn: record.stages.flatMap(({ startedAt }) => startedAt ?? []).toSorted()[0],
        finishedOn: finishedAt,
      },
      ...(verdicts.length > 0 && {
        byproducts: verdicts.map(({ gate, subject, digest, verdict }) => ({
          name: `gate/${gate}/${subject}`,
          digest: digestSet(digest),
          annotations: { verdict },
        })),
      }),
    },
  });
}

/** What a release made: the image, of several platforms each one's too, and the published disks. */
export function subjectsOf({ record, made }: Pick<ProvenanceFacts, 'record' | 'made'>): ResourceDescriptor[] {
  const { image, disks } = record;
  // A platform that was taken over says when it was built.
  const built = (image.platforms ?? []).filter(({ builtAt }) => builtAt === undefined);
  const published = [
    ...(made.includes('image') ? [image, ...built.map(({ digest }) => ({ ...image, digest }))] : []),
    ...disks.filter(({ type }) => made.includes(type)),
  ];
  return published.flatMap(({ reference, digest }) =>
    reference === null || digest === null ? [] : [{ name: namedRepository(reference), digest: digestSet(digest) }],
  );
}

/** The repository of a record's `repository:tag`. */
export function namedRepository(reference: string): string {
  return reference.slice(0, reference.lastIndexOf(':'));
}

/** Everything that was fetched, by digest. */
function dependencies({ record, parameters }: ProvenanceFacts): ResourceDescriptor[] {
  const { inputs } = record;
  if (!inputs) return [];
  const { source, contextRepository } = parameters;
  const commit = inputs.parts?.commit;
  return [
    ...inputs.base.map((base) => imageDependency('base', base)),
    ...(inputs.builder ? [imageDependency('builder', inputs.builder)] : []),
    ...(inputs.installer ? [imageDependency('installer', inputs.installer)] : []),
    ...gateImages(inputs.gates).map((gate) => imageDependency('gate', gate)),
    ...(inputs.rechunker ? [imageDependency('rechunker', inputs.rechunker)] : []),
    { name: 'context', uri: `oci://${contextRepository}`, digest: digestSet(inputs.context) },
    ...(commit && source ? [{ name: 'source', uri: `git+${source}`, digest: { gitCommit: commit } }] : []),
  ];
}

/** Several gates may have one image. */
function gateImages(gates: readonly PinnedImage[] = []): PinnedImage[] {
  return [...new Map(gates.map(({ reference, digest }) => [reference, { reference, digest }])).values()];
}

function imageDependency(name: string, { reference, digest, manifest, platform }: PinnedImage): ResourceDescriptor {
  const annotations = {
    ...(platform && { platform: `linux/${platform}` }),
    ...(manifest !== undefined && manifest !== digest && { manifest }),
  };
  return {
    name,
    uri: `oci://${reference}`,
    digest: digestSet(digest),
    ...(Object.keys(annotations).length > 0 && { annotations }),
  };
}
