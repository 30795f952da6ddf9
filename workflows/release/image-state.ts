/** What a release knows of its image. */
import type { Architecture } from '../../model/base/host.ts';
import type { BuildResult, PushResult } from '../../model/contract/build.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';

/** What there is of one platform of an image of several. */
export interface PlatformState {
  /** Null for an image of several platforms: each has its own. */
  build: BuildResult | null;
  /** The artifact with its bills of materials, in the registry; null where none is asked for. */
  sbom: string | null;
  /** In the registry, by digest. */
  push: Pick<PushResult, 'digest'> | null;
  /** The host that built last: its cache makes the next build shorter. */
  host: string | null;
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
