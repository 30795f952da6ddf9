/** The command line of osbuild/image-builder under its own name (`cmd/image-builder`): one type for each call. */
import type { DiskType } from '../../../../../model/spec/disk.ts';
import type { BuilderRequest } from '../../driver.ts';
import { exportOf } from '../../export.ts';

/** Where it is told that its configuration is. */
export const imageBuilderConfigPath = (format: 'toml' | 'json') => `/config.${format}`;

/** Of `build`. Only this command knows where results go, and of virtual machines. */
export function imageBuilderArguments(request: BuilderRequest): string[] {
  const type = onlyType(request);
  const { inVm } = request.options.arguments ?? {};
  return [
    'build',
    '--progress=verbose',
    `--output-dir=/output/${exportOf(type)}`,
    '--output-name=disk',
    '--with-manifest',
    ...(inVm === undefined ? [] : [`--in-vm=${inVm}`]),
    ...shared(request),
    type,
  ];
}

/** Of `manifest`. */
export function imageBuilderManifestArguments(request: BuilderRequest): string[] {
  return ['manifest', ...shared(request), onlyType(request)];
}

function shared({ rootfs, architecture, image, installer, config, options }: BuilderRequest): string[] {
  const { useLibrepo, seed, defaultKernelArguments } = options.arguments ?? {};
  return [
    `--bootc-ref=${installer ?? image}`,
    ...(installer === null ? [] : [`--bootc-installer-payload-ref=${image}`]),
    ...(rootfs === null ? [] : [`--bootc-default-fs=${rootfs}`]),
    ...(architecture === null ? [] : [`--arch=${architecture}`]),
    ...(config === null ? [] : [`--blueprint=${imageBuilderConfigPath(config.format)}`]),
    ...(useLibrepo === undefined ? [] : [`--use-librepo=${useLibrepo}`]),
    ...(seed === undefined ? [] : [`--seed=${seed}`]),
    ...(defaultKernelArguments === false ? ['--bootc-no-default-kernel-args'] : []),
  ];
}

function onlyType({ types }: BuilderRequest): DiskType {
  const [only] = types;
  if (only === undefined || types.length > 1) throw new Error('image-builder makes one disk type for each call');
  return only;
}
