/** bootc-image-builder, and osbuild/image-builder called by that name: all types of a run in one call. */
import { commonArguments, type BuilderDriver, type BuilderRequest } from './driver.ts';

export const bootcImageBuilder: BuilderDriver = {
  build: (request) => ['build', '--progress=verbose', ...shared(request)],
  manifest: (request) => ['manifest', ...shared(request)],
};

function shared({ types, rootfs, image, options }: BuilderRequest): string[] {
  return [
    ...[...types].sort().map((type) => `--type=${type}`),
    ...(rootfs === null ? [] : [`--rootfs=${rootfs}`]),
    ...commonArguments(options),
    ...(options.arguments?.defaultKernelArguments === false ? ['--no-default-kernel-args'] : []),
    image,
  ];
}
