/** bootc-image-builder, and osbuild/image-builder called by that name: all types of a run in one call. */
import type { BuilderDriver, BuilderRequest } from './driver.ts';

export const bootcImageBuilder: BuilderDriver = {
  build: (request) => ['build', '--progress=verbose', ...shared(request)],
  manifest: (request) => ['manifest', ...shared(request)],
};

function shared({ types, rootfs, image, options }: BuilderRequest): string[] {
  const { inVm, useLibrepo, seed, defaultKernelArguments } = options.arguments ?? {};
  return [
    ...[...types].sort().map((type) => `--type=${type}`),
    ...(rootfs === null ? [] : [`--rootfs=${rootfs}`]),
    ...(inVm === undefined ? [] : [`--in-vm=${inVm}`]),
    ...(useLibrepo === undefined ? [] : [`--use-librepo=${useLibrepo}`]),
    ...(seed === undefined ? [] : [`--seed=${seed}`]),
    ...(defaultKernelArguments === false ? ['--no-default-kernel-args'] : []),
    image,
  ];
}
