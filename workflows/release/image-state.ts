/** What a release knows of its image. */
import type { Architecture } from '../../model/base/host.ts';
import type { BuildResult, PushResult, RechunkResult } from '../../model/contract/build.ts';
import type { ResolveResult } from '../../model/contract/control.ts';
import type { MissingPlatform } from '../../model/release/approval.ts';
import type { KeptPlatform, PinnedImage, ReleaseRecord } from '../../model/release/record.ts';
import type { StageTable } from '../../model/release/stage-table.ts';
import { followsPush, imageSubject, type StageKey } from '../../model/stage/stage.ts';

/** What there is of one platform of an image of several. */
export interface PlatformState {
  /** Null for an image of several platforms: each has its own. */
  build: BuildResult | null;
  /** What the build became with other layers; absent or null where nothing rewrites them, or not yet. */
  rechunked?: RechunkResult | null;
  /** The artifact with its bills of materials, in the registry; null where none is asked for. */
  sbom: string | null;
  /** In the registry, by digest. */
  push: Pick<PushResult, 'digest'> | null;
  /** The host that built last: its cache makes the next build shorter. */
  host: string | null;
  /** Of an earlier release, with the disks that are taken over with it. */
  kept?: KeptPlatform | undefined;
}

/** What there is of the image. */
export interface ImageState extends PlatformState {
  /** Of an image of several; the push is then that of their index. */
  readonly platforms: Map<Architecture, PlatformState>;
  /** The public key inside it; null when it holds none. */
  builtWith: string | null;
  /** The host that has it too; null for an image of an earlier release. */
  push: (Pick<PushResult, 'digest'> & { host: string | null }) | null;
  signed: boolean;
  verified: boolean;
  /** For its names but its own tag, which may wait for an approval. */
  readonly further: { signed: boolean; verified: boolean };
  updates?: ReleaseRecord['image']['updates'];
}

/** Nothing is built. `host`: the one that built last. */
export function noImage(host: string | null = null): ImageState {
  return { build: null, sbom: null, platforms: new Map(), builtWith: null, push: null, host, ...unsigned() };
}

/** It is signed for no name. */
export function unsigned(): Pick<ImageState, 'signed' | 'verified' | 'further'> {
  return { signed: false, verified: false, further: { signed: false, verified: false } };
}

/**
 * Platforms of an earlier release are this one's, and are not built. What this release has made itself goes before. Of
 * those that an earlier plan took over, this plan decides which disks go with them.
 */
export function keepPlatforms({ platforms }: ImageState, table: StageTable, kept: readonly KeptPlatform[] = []): void {
  for (const [platform, { kept: before }] of platforms) {
    const now = kept.find((one) => one.platform === platform && one.digest === before?.digest);
    if (before) before.disks = [...(now?.disks ?? [])];
  }
  for (const one of kept) {
    const { platform, digest, disks } = one;
    if (platforms.get(platform)?.push) continue;
    const own = { build: null, sbom: null, push: { digest }, host: null };
    platforms.set(platform, { ...own, kept: { ...one, disks: [...disks] } });
    // What is attached to its digest stays there. A device tries it for this release's names.
    const isMade = (row: StageKey) => row.subject === imageSubject(platform) && !followsPush(row.name);
    table.updateAll(isMade, { status: 'skipped', at: Date.now() });
  }
}

/** What podman used; null until every platform is built. One that is kept was built on what is there still. */
export function usedBases({ build, platforms }: ImageState, looked: readonly PinnedImage[]): PinnedImage[] | null {
  if (platforms.size === 0) return build && build.bases;
  const each = [...platforms].map(([platform, one]) =>
    one.kept
      ? looked.filter((base) => base.platform === platform)
      : one.build?.bases.map((base) => ({ ...base, platform })),
  );
  return each.every((bases) => bases !== undefined) ? each.flat() : null;
}

/** What else a release was made with, where it was. */
export function furtherImages({ installer, rechunker, gates }: FurtherImages): FurtherImages {
  return { ...(installer && { installer }), ...(rechunker && { rechunker }), ...(gates && { gates }) };
}
type FurtherImages = Pick<ResolveResult, 'installer' | 'rechunker' | 'gates'>;

/** What the record says of each platform, and of those that were left out. */
export function platformFacts(
  { platforms }: ImageState,
  wanted: readonly Architecture[] | undefined,
  missing: readonly MissingPlatform[],
): Pick<ReleaseRecord['image'], 'platforms' | 'missing'> {
  if (!wanted) return {};
  const present = wanted.map((platform) => {
    const { push, kept } = platforms.get(platform) ?? {};
    return { platform, digest: push?.digest ?? null, builtAt: kept?.builtAt };
  });
  return { platforms: present, ...(missing.length > 0 && { missing: [...missing] }) };
}
