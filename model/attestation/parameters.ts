/** What a spec and its author decide of a release, as its provenance tells. */
import type { z } from 'zod';
import { Digest } from '../oci/reference.ts';
import { ReleaseRequest } from '../spec/request.ts';

/** The parts of a request that stand in a provenance. Everything else of the spec is in its digest. */
export const ProvenanceParameters = ReleaseRequest.pick({
  name: true,
  repository: true,
  tag: true,
  alsoTag: true,
  updateFrom: true,
  tagPolicy: true,
  architecture: true,
  platforms: true,
  key: true,
  verification: true,
  commit: true,
  source: true,
  buildArgs: true,
  contextRepository: true,
  disks: true,
  builder: true,
  bootTest: true,
  gates: true,
}).extend({
  /** Of the bytes of `flightline.yaml`. */
  spec: Digest,
});
export type ProvenanceParameters = z.infer<typeof ProvenanceParameters>;

/** The parameters of a request whose spec asked for provenance. */
export function provenanceParameters(request: ReleaseRequest, spec: string): ProvenanceParameters {
  return ProvenanceParameters.parse({ ...request, spec });
}
