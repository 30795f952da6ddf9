/** A builder's own command line; what podman is told besides is the same for all. */
import type { BuilderOptions, DiskType } from '../../../../model/spec/disk.ts';

/** What a builder is asked to make. */
export interface BuilderRequest {
  /** The image, `R:T`. The builder writes this name into the disk as the origin of updates. */
  image: string;
  types: readonly DiskType[];
  rootfs: string | null;
  config: { path: string; format: 'toml' | 'json' } | null;
  options: BuilderOptions;
}

/** One face of a builder. The result of a type lies alone in its directory below /output, manifests apart. */
export interface BuilderDriver {
  /** Arguments of a build into /output. */
  build(request: BuilderRequest): string[];
  /** Arguments of the command that prints the manifest of a build. */
  manifest(request: BuilderRequest): string[];
}

/** Where the configuration is in the container. */
export function configPath(format: 'toml' | 'json'): string {
  return `/config.${format}`;
}

/** The flags that all faces call the same. */
export function commonArguments({ arguments: given = {} }: BuilderOptions): string[] {
  const { inVm, useLibrepo, seed } = given;
  return [
    ...(inVm === undefined ? [] : [`--in-vm=${inVm}`]),
    ...(useLibrepo === undefined ? [] : [`--use-librepo=${useLibrepo}`]),
    ...(seed === undefined ? [] : [`--seed=${seed}`]),
  ];
}
