/** osbuild/image-builder under its own name (`cmd/image-builder`): one type for each call. */
import { DISK_TYPES } from '../../../../model/spec/disk.ts';
import { commonArguments, configPath, type BuilderDriver, type BuilderRequest } from './driver.ts';

export const imageBuilder: BuilderDriver = {
  build: (request) => {
    const type = onlyType(request);
    const output = [`--output-dir=/output/${DISK_TYPES[type].directory}`, '--output-name=disk', '--with-manifest'];
    return ['build', '--progress=verbose', ...output, ...shared(request), type];
  },
  manifest: (request) => ['manifest', ...shared(request), onlyType(request)],
};

function shared({ rootfs, image, config, options }: BuilderRequest): string[] {
  return [
    `--bootc-ref=${image}`,
    ...(rootfs === null ? [] : [`--bootc-default-fs=${rootfs}`]),
    ...(config === null ? [] : [`--blueprint=${configPath(config.format)}`]),
    ...commonArguments(options),
    ...(options.arguments?.defaultKernelArguments === false ? ['--bootc-no-default-kernel-args'] : []),
  ];
}

function onlyType({ types }: BuilderRequest): BuilderRequest['types'][number] {
  const [only] = types;
  if (only === undefined || types.length > 1) throw new Error('image-builder makes one disk type for each call');
  return only;
}
