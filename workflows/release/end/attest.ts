/** Has image and disks attested before any tag moves. */
import { provenanceParameters } from '../../../model/attestation/parameters.ts';
import type { AttestInput, AttestResult } from '../../../model/contract/sign.ts';
import { PackageCounts } from '../../../model/oci/update-cost.ts';
import { shownDigests } from '../../../model/release/approval.ts';
import type { Attestation, ReleaseRecord } from '../../../model/release/record.ts';
import { activities } from '../../activities.ts';
import { firstTried } from '../attested-state.ts';
import { runStage } from '../../run-stage.ts';
import type { Plan } from '../plan.ts';
import { verifiedRecord } from '../record.ts';
import type { ShownRelease } from '../show.ts';
import type { ReleaseState } from '../state.ts';

type Subject = Attestation['subject'];

/** The stage `attest`. @returns digests that the registry has lost; then nothing may be tagged */
export async function attest(release: ShownRelease, { request }: Plan): Promise<readonly string[]> {
  const { state, table } = release;
  const { provenance, sbom, key, timing, tag } = request;
  if (!provenance && !sbom) return [];
  const record = verifiedRecord(state);
  const digests = shownDigests(record).join();
  if (state.attested.digests === digests) return [];
  const row = { name: 'attest', subject: 'release' } as const;
  const made = madeParts(state);
  const taken = (subject: Subject) => !made.includes(subject) && (subject === 'image' || state.reused.has(subject));
  const kept = [
    ...(state.plan?.resolved.reuse?.attestations ?? []).filter(({ subject }) => taken(subject)),
    ...[...state.image.platforms.values()].flatMap((one) => one.kept?.attestations ?? []),
  ];
  if (made.length === 0) {
    table.update(row.name, row.subject, { status: 'skipped', at: Date.now() });
    Object.assign(state.attested, { digests, attestations: kept });
    return [];
  }
  const finishedAt = firstTried(state.attested, digests);
  const { attestations, packages, vanished } = await runStage(release, row, null, () =>
    activities('sign', timing, `attest ${tag}`).attest({
      ...state.identity,
      key,
      record: { ...record, stages: begunStages(record) },
      ...(provenance && { parameters: provenanceParameters(request, provenance.spec) }),
      sboms: made.includes('image') ? sbomsOf(state) : [],
      made,
      finishedAt,
      timing,
    }),
  );
  if (vanished.length === 0) Object.assign(state.attested, { digests, attestations: [...kept, ...attestations] });
  notePackages(state.image, packages);
  return vanished;
}

/** What an update costs devices says then how many packages it changes, too. */
function notePackages(image: ReleaseState['image'], counted: AttestResult['packages'] = []): void {
  image.updates = image.updates?.map((cost) => {
    const { platform, ...packages } = counted.find((one) => one.platform === cost.platform) ?? { platform: null };
    return platform === null ? cost : { ...cost, packages: PackageCounts.parse(packages) };
  });
}

/** Of the stages a provenance tells hosts and times: where logs are only takes room. */
function begunStages({ stages }: ReleaseRecord): ReleaseRecord['stages'] {
  return stages.filter(({ startedAt }) => startedAt !== null).map((stage) => ({ ...stage, log: null }));
}

/** What was listed of the image, or of each of its platforms. */
function sbomsOf({ image }: ReleaseState): AttestInput['sboms'] {
  const parts = image.platforms.size > 0 ? [...image.platforms.values()] : [image];
  return parts.flatMap(({ sbom, push }) => (sbom && push ? [{ of: push.digest, artifact: sbom }] : []));
}

/** What this release made: what it took over has the provenance of the release that made it. */
function madeParts({ image, plan, reused, request }: ReleaseState): Subject[] {
  const isTaken = plan?.resolved.reuse !== undefined && image.push?.digest === plan.resolved.reuse.digest;
  const disks = request.disks.filter(({ type, publish }) => publish !== 'none' && !reused.has(type));
  return [...(isTaken ? [] : ['image' as const]), ...disks.map(({ type }) => type)];
}
