/** The disks that there are: made now, or taken over from an earlier release, signed and verified again. */
import type { BuilderRunResult } from '../../model/contract/workflows.ts';
import type { ImageState } from './image-state.ts';
import type { ReusedDisk } from '../../model/release/record.ts';
import { releaseStages, type RequestedRun, type StageTable } from '../../model/release/stage-table.ts';
import type { ReleaseRequest, RequestedDisk } from '../../model/spec/request.ts';
import { diskSubject } from '../../model/stage/stage.ts';

/** The index of a disk's platforms, of an image of several. */
export interface JoinedDisk {
  /** The digests that it joins, as text. */
  readonly entries: string;
  digest: string | null;
  signed: boolean;
  verified: boolean;
}

/** By type. */
export type ReusedDisks = Map<string, ReusedDisk & { signed: boolean; verified: boolean }>;

/** What of a release is needed here. */
interface Holder {
  readonly reused: ReusedDisks;
  readonly table: StageTable;
  readonly request: ReleaseRequest;
}

/** Takes disks over. One of the form `none` is not published, so it is not signed. */
export function takeOverDisks(holder: Holder, disks: readonly ReusedDisk[]): void {
  for (const disk of disks) {
    const isDone = disk.digest === null;
    holder.reused.set(disk.type, { ...disk, signed: isDone, verified: isDone });
  }
  reshape(holder);
}

/** Makes these disks after all: the registry lost them, or the image will be another. */
export function forgetReused(holder: Holder, types: readonly string[]): void {
  for (const type of types) holder.reused.delete(type);
  reshape(holder);
}

/** Rows for what is made, and for what is taken over. */
function reshape({ table, request, reused }: Holder): void {
  table.reshape(releaseStages(request, [...reused.keys()]));
}

/** The disks that the release makes itself. */
export function disksToMake(
  { reused }: Pick<Holder, 'reused'>,
  { disks }: Pick<ReleaseRequest, 'disks'>,
): RequestedDisk[] {
  return disks.filter(({ type }) => !reused.has(type));
}

/**
 * The disks of a builder run whose platform is taken over from an earlier release; null unless all of the run are to be
 * had.
 */
export function keptResult({ platforms }: ImageState, { types, platform }: RequestedRun): BuilderRunResult | null {
  const kept = (platform && platforms.get(platform)?.kept?.disks) ?? [];
  const disks = kept.filter(({ type }) => types.includes(type)).map((disk) => ({ ...disk, verified: false }));
  const [first] = disks;
  if (!first || disks.length < types.length) return null;
  return { host: first.file.host, hosts: [], inputs: first.inputs, disks, stages: [] };
}

/** A disk that there is, made or taken over. */
interface PresentDisk extends ReusedDisk {
  verified: boolean;
}

/** What of a release is needed to tell which disks there are. */
interface Made extends Pick<Holder, 'reused'> {
  readonly runs: ReadonlyMap<string, { run: RequestedRun; result: BuilderRunResult | null }>;
  readonly joined: ReadonlyMap<string, JoinedDisk>;
}

/** What there is of the disks, made or taken over. Of several platforms, as soon as one of them has it. */
export function presentDisks({ runs, reused, joined }: Made): PresentDisk[] {
  const made = [...runs.values()].flatMap(({ run: { platform }, result }) =>
    (result?.disks ?? []).map((disk) => ({
      ...disk,
      platform,
      inputs: { [diskSubject(disk.type, platform)]: result!.inputs },
    })),
  );
  const several = new Map<RequestedDisk['type'], PresentDisk>();
  for (const { type, platform, digest, file, inputs } of made) {
    if (!platform) continue;
    const known = several.get(type);
    const { digest: index = null, verified = false } = joined.get(type) ?? {};
    several.set(type, {
      type,
      digest: index,
      verified,
      file: null,
      inputs: { ...known?.inputs, ...inputs },
      platforms: [...(known?.platforms ?? []), { platform, digest, file }],
    });
  }
  const alone = made.flatMap(({ platform, ...disk }) => (platform ? [] : [disk]));
  return [...alone, ...several.values(), ...reused.values()];
}
