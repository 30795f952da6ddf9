/** A builder as flightline drives it. A driver is a folder of drivers/; nothing else knows which one it drives. */
import type { Architecture } from '../../../model/base/host.ts';
import type { BuilderOptions, DiskType } from '../../../model/spec/disk.ts';
import type { Verdict } from '../podman/classify.ts';
import type { BuilderProgress } from './progress.ts';

/** What a builder is asked to make. */
export interface BuilderRequest {
  /** The image, `repository:tag`. The builder writes this name into the disk as the origin of updates. */
  image: string;
  /** The image that a disk boots from to install `image`; null for a disk that boots `image` itself. */
  installer: string | null;
  types: readonly DiskType[];
  rootfs: string | null;
  /** Another architecture than the host's; null for its own. */
  architecture: Architecture | null;
  config: { path: string; format: 'toml' | 'json' } | null;
  options: BuilderOptions;
}

/** Why a builder failed. */
export interface BuilderVerdict extends Verdict {
  /** `true` when it is the request, whatever image it is of. */
  ofRequest?: true;
}

/** A text that a builder may end with, and what it means. */
export interface BuilderError {
  pattern: RegExp;
  verdict: BuilderVerdict;
}

/** What differs between builders. */
export interface BuilderDriver {
  arguments: {
    /** Of a build into /output. */
    build: (request: BuilderRequest) => string[];
    /** Of the command that prints the manifest of a build. */
    manifest: (request: BuilderRequest) => string[];
  };
  configuration: {
    /** Where the builder finds its configuration, in the container. */
    path: (format: 'toml' | 'json') => string;
  };
  results: {
    /** The directory below /output in which the file of a type lies alone, manifests apart. */
    directory: (type: DiskType) => string;
    /** Whether a path below /output is a manifest, which may hold passwords or their hashes. */
    isManifest: (path: string) => boolean;
  };
  progress: {
    /** The progress after one more line of either stream. */
    advance: (progress: BuilderProgress, line: string) => BuilderProgress;
    /** Number of steps to these types, from the text of a manifest; `undefined` while it is incomplete. */
    count: (manifest: string, types: readonly DiskType[]) => number | undefined;
  };
  /** The builder's own texts; those of what it runs are the same for all. First match wins. */
  errors: readonly BuilderError[];
}
