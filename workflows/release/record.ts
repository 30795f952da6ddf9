/** What is shown of a release: its record, and the current details in the Temporal Web UI, in Markdown. Pure. */
import type { Failure } from '../../model/failure/failure.ts';
import type { RemedyPlace } from '../../model/failure/remedy.ts';
import { spanInWords, utcInWords } from '../../model/base/words.ts';
import { gatesInWords } from '../../model/gate/gate.ts';
import { remedyText } from '../../model/failure/remedy-text.ts';
import { updatesInWords } from '../../model/oci/update-cost.ts';
import { missingInWords } from '../../model/release/approval.ts';
import type { DiskRecord, ReleaseRecord, StageRow } from '../../model/release/record.ts';
import type { StageTable } from '../../model/release/stage-table.ts';
import { furtherImages, platformFacts, usedBases } from './image-state.ts';
import { allVerdicts } from './gates-state.ts';
import { presentDisks } from './reused.ts';
import { releaseStatus, type ReleaseState } from './state.ts';

/** The record as of now. */
export function recordOf(state: ReleaseState): ReleaseRecord {
  const { identity, request, image, plan, outcome, gate, holds } = state;
  if (outcome?.record) return outcome.record;
  const warnings = warningsOf(state);
  const gates = allVerdicts(state);
  return {
    schemaVersion: 1,
    release: identity.release,
    runId: identity.runId,
    status: releaseStatus(state),
    image: {
      reference: `${request.repository}:${request.tag}`,
      digest: image.push?.digest ?? null,
      verified: image.verified,
      ...platformFacts(image, request.platforms, state.leftOut),
      certificateEnds: image.build?.certificateEnds,
      certificateRequest: image.build?.certificateRequest,
      ...(image.updates?.length && { updates: image.updates }),
      ...reusedFacts(state),
    },
    disks: disksOf(state),
    inputs: plan && {
      image: plan.resolved.imageInputs,
      disks: Object.assign({}, ...presentDisks(state).map(({ inputs }) => inputs)) as Record<string, string>,
      // After the build, what podman used counts, not what resolve expected.
      base: usedBases(image, plan.resolved.bases) ?? plan.resolved.bases,
      builder: plan.resolved.builder,
      ...furtherImages(plan.resolved),
      context: plan.resolved.context.digest,
      parts: plan.resolved.parts,
    },
    stages: state.table.rows,
    failure: outcome ? outcome.failure : ([...holds.values()][0] ?? null),
    ...(gate.approval && { approval: gate.approval }),
    ...(state.attested.attestations.length > 0 && { attestations: state.attested.attestations }),
    ...(gates.length > 0 && { gates }),
    ...(state.logs.kept.length === 0 ? {} : { logs: state.logs.kept }),
    ...(warnings.length === 0 ? {} : { warnings }),
    reason: plan?.resolved.reason,
  };
}

/**
 * The record of a release whose image and disks are verified.
 *
 * @throws Error when it would name something that was not made and verified, which is a fault in this code.
 */
export function verifiedRecord(state: ReleaseState): ReleaseRecord {
  const record = recordOf(state);
  const { image, disks } = record;
  const missing = [
    ...(image.digest !== null && image.verified ? [] : ['the image']),
    ...disks
      .filter(({ form, digest, verified }) => form !== 'none' && (digest === null || !verified))
      .map(({ type }) => type),
  ];
  if (missing.length > 0) throw new Error(`${missing.join(', ')} cannot be recorded as released`);
  return record;
}

/** The record as it is published: once it is in the registry, the release is complete. As {@link verifiedRecord}. */
export function publishedRecord(state: ReleaseState): ReleaseRecord {
  const record = verifiedRecord(state);
  return {
    ...record,
    status: 'released',
    stages: record.stages.map((row) =>
      row.name === 'record' ? { ...row, status: 'done', attempts: row.attempts + 1, durationMs: 0 } : row,
    ),
  };
}

/** The earliest unfinished stage; after the end of the release, the stage that ended it. */
export function shownStage({ outcome, table }: ReleaseState): string | null {
  if (!outcome) return table.earliestUnfinished()?.name ?? null;
  return table.rows.find((row) => row.status === 'failed' || row.status === 'cancelled')?.name ?? null;
}

/** Where a release stands: what is held and what to do about it first, then stages and digests. */
export function releaseDetails(state: ReleaseState): string {
  const { holds, children, moved } = state;
  const record = recordOf(state);
  const failed =
    holds.size === 0 && record.failure ? [failureText('Failed', record.failure, record.release, 'ended release')] : [];
  return paragraphs([
    `**${record.image.reference}** is **${record.status}**.`,
    ...[...holds].map(([branch, failure]) => failureText(`Held: ${branch}`, failure, record.release, 'held branch')),
    ...failed,
    state.table.noted(),
    stageTable(record.stages),
    digestList(record),
    gatesInWords(record.gates)
      .map((text) => `- gate ${text}`)
      .join('\n'),
    (record.warnings ?? []).map((warning) => `- warning: ${warning}`).join('\n'),
    moved.length > 0 ? `Tags moved: ${moved.map(code).join(', ')}` : '',
    [...children].map(([subject, id]) => `- builder run ${subject}: workflow ${code(id)}`).join('\n'),
  ]);
}

/** Where a builder run stands. */
export function builderRunDetails(release: string, table: StageTable, failure: Failure | null): string {
  return paragraphs([
    `Part of ${code(release)}.`,
    failure ? failureText('Failed', failure, release, 'held branch') : '',
    table.noted(),
    stageTable(table.rows),
  ]);
}

function paragraphs(parts: readonly string[]): string {
  return parts.filter((part) => part !== '').join('\n\n');
}

function stageTable(rows: readonly StageRow[]): string {
  if (rows.length === 0) return '';
  const lines = rows.map((row) =>
    [
      row.name,
      row.subject,
      row.status,
      row.host ?? '',
      row.attempts > 0 ? String(row.attempts) : '',
      row.startedAt === null ? '' : utcInWords(new Date(row.startedAt)),
      row.durationMs === null ? '' : spanInWords(row.durationMs),
    ].join(' | '),
  );
  return [
    '| stage | subject | status | host | attempts | started | took |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...lines.map((line) => `| ${line} |`),
  ].join('\n');
}

function digestList(record: ReleaseRecord): string {
  const { reference, digest, verified } = record.image;
  const facts = `${checked(verified)}${enrolled(record.image)}`;
  const image = digest ? [`- image ${code(reference)}: ${code(digest)}${facts}`] : [];
  const disks = record.disks.flatMap((disk) => [
    ...(disk.digest && disk.reference
      ? [`- ${disk.type} ${code(disk.reference)}: ${code(disk.digest)}${checked(disk.verified)}`]
      : []),
    ...platformList(disk),
  ]);
  const { updates = [], missing } = record.image;
  const told = [...missingInWords(missing), ...updatesInWords(updates).map((text) => `update: ${text}`)];
  return [...image, ...platformList(record.image), ...told.map((text) => `- ${text}`), ...disks].join('\n');
}

function platformList({ platforms = [] }: Pick<ReleaseRecord['image'], 'platforms'>): string[] {
  return platforms.flatMap(({ platform, digest }) => (digest ? [`  - linux/${platform}: ${code(digest)}`] : []));
}

function enrolled({ certificateEnds }: ReleaseRecord['image']): string {
  return certificateEnds === undefined ? '' : `, enrollment certificate until ${certificateEnds}`;
}

function checked(verified: boolean): string {
  return verified ? ', verified' : '';
}

function failureText(title: string, failure: Failure, release: string, place: RemedyPlace): string {
  return paragraphs([
    `### ${title}${failure.stage ? ` (${failure.stage})` : ''}`,
    fence(failure.message),
    `What to do: ${remedyText(failure, place, release)}`,
    failure.log ? `Log: ${code(failure.log.path)} on ${failure.log.host}` : '',
  ]);
}

/** A code block whose fence is longer than any in the text. */
function fence(text: string): string {
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map((match) => match[0].length));
  const mark = '`'.repeat(longest + 1);
  return `${mark}\n${text}\n${mark}`;
}

function code(text: string): string {
  return `\`${text}\``;
}

function warningsOf({ image, refusedTags, logs, refusedSpec, outcome, moved, maybeMoved }: ReleaseState): string[] {
  const failed = outcome?.status === 'failed';
  return [
    ...[image, ...image.platforms.values()].flatMap(({ build }) => build?.warnings ?? []),
    ...refusedTags.values(),
    ...logs.warnings,
    ...(refusedSpec === null ? [] : [`the changed spec was not taken over: ${refusedSpec}`]),
    ...(failed && moved.length > 0 ? [`these tags had been moved: ${moved.join(', ')}`] : []),
    ...(failed && maybeMoved.length > 0 ? [`these tags may have been moved: ${maybeMoved.join(', ')}`] : []),
  ];
}

/** Facts from the build of an image that was taken over. */
function reusedFacts({ image, plan }: ReleaseState): Partial<ReleaseRecord['image']> {
  const reuse = image.build ? undefined : plan?.resolved.reuse;
  if (!reuse || image.push?.digest !== reuse.digest) return {};
  const { builtAt, platforms, certificateEnds, certificateRequest } = reuse;
  return {
    certificateEnds,
    certificateRequest,
    ...(platforms && { platforms }),
    ...(builtAt === null ? {} : { builtAt }),
  };
}

function disksOf(state: ReleaseState): DiskRecord[] {
  const { repository, tag, updateFrom, keepFiles, disks, platforms } = state.request;
  const present = presentDisks(state);
  // Clean-up removes the file in the work directory. Only a kept file has a lasting path.
  const lasting = (type: string, file: DiskRecord['file'] = null) =>
    file && { ...file, path: keepFiles !== null || state.reused.has(type) ? file.path : null };
  return disks.map((disk) => {
    const result = present.find((one) => one.type === disk.type);
    return {
      type: disk.type,
      form: disk.publish,
      reference: disk.publish === 'none' ? null : `${disk.repository}:${tag}`,
      digest: result?.digest ?? null,
      verified: result?.verified ?? false,
      // A disk of another origin is not taken over.
      updateFrom: `${repository}:${updateFrom}`,
      file: lasting(disk.type, result?.file),
      ...(platforms && {
        platforms: platforms.map((platform) => {
          const own = result?.platforms?.find((one) => one.platform === platform);
          return { platform, digest: own?.digest ?? null, file: lasting(disk.type, own?.file) };
        }),
      }),
    };
  });
}
