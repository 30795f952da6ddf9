/** The command line of bootc-image-builder: all types of a run in one call. */
import type { BuilderRequest } from '../../driver.ts';

/** Flags of both commands: `manifest` knows all of `build` but those of its output. */
export function bootcImageBuilderArguments(request: BuilderRequest): string[] {
  const { types, rootfs, architecture, image, installer, options } = request;
  const { inVm, useLibrepo, seed, defaultKernelArguments } = options.arguments ?? {};
  return [
    ...[...types].sort().map((type) => `--type=${type}`),
    ...(rootfs === null ? [] : [`--rootfs=${rootfs}`]),
    ...(architecture === null ? [] : [`--target-arch=${architecture}`]),
    ...(inVm === undefined ? [] : [`--in-vm=${inVm}`]),
    ...(useLibrepo === undefined ? [] : [`--use-librepo=${useLibrepo}`]),
    ...(seed === undefined ? [] : [`--seed=${seed}`]),
    ...(defaultKernelArguments === false ? ['--no-default-kernel-args'] : []),
    ...(installer === null ? [image] : [`--installer-payload-ref=${image}`, installer]),
  ];
}
