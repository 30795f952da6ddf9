/** Disks taken over from an earlier release: signed and verified again, but not made. */
import type { BuilderRunResult } from '../../model/contract/workflows.ts';
import type { ReusedDisk } from '../../model/release/record.ts';
import { releaseStages, type StageTable } from '../../model/release/stage-table.ts';
import type { ReleaseRequest, RequestedDisk } from '../../model/spec/request.ts';

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

/** What there is of the disks, made or taken over. */
export function presentDisks({
  runs,
  reused,
}: Pick<Holder, 'reused'> & {
  readonly runs: ReadonlyMap<string, { result: BuilderRunResult | null }>;
}): (ReusedDisk & {
  verified: boolean;
})[] {
  const made = [...runs.values()].flatMap(({ result }) =>
    result ? result.disks.map((disk) => ({ ...disk, inputs: result.inputs })) : [],
  );
  return [...made, ...reused.values()];
}
