/**
 * Asks the builder about its configuration while the image is built: what it refuses on the base, it refuses on the
 * image. The configuration may be a build of half an hour away from the builder that reads it.
 */
import { readFile } from 'node:fs/promises';
import type { BuildInput } from '../../model/contract/build.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import { builderContainerName } from '../../model/release/inputs.ts';
import type { UnpackedContext } from '../context/unpack.ts';
import { makesDisksFor } from '../host/claim.ts';
import { foreignTo, type HostContext } from '../host/work-directory.ts';
import { askForManifest } from '../tools/builder/manifest.ts';
import { checkedImageName, nameByDigest } from '../tools/podman/build.ts';
import type { LocalBase } from './bases/base-names.ts';
import { foreseenBase } from './bases/bases.ts';

/**
 * Why the builder refuses the configuration; undefined when it takes it, when no disk is to be made of one, or when
 * only the built image can tell. The builder is on the host.
 *
 * @param end ends the builder
 */
export async function refusedConfiguration(
  host: HostContext,
  input: BuildInput,
  unpacked: UnpackedContext,
  bases: readonly LocalBase[],
  end: AbortSignal,
): Promise<FlightlineError | undefined> {
  const { builder, release, configuration } = input;
  if (!builder || !configuration || unpacked.builderConfig === null) return undefined;
  if (!makesDisksFor(host, input.architecture)) return undefined;
  const { format, types, rootfs, driver, arguments: given, network } = configuration;
  const containerfile = await readFile(unpacked.containerfile, 'utf8');
  const base = foreseenBase(containerfile, input, bases);
  if (!base) return undefined;
  const answer = await askForManifest(
    {
      id: base.id,
      name: builderContainerName(release, 'configuration'),
      image: checkedImageName(host.work.installation, release),
      installer: null,
      builder: nameByDigest(builder),
      driver,
      types,
      rootfs,
      architecture: foreignTo(host, input.architecture),
      config: { text: await readFile(unpacked.builderConfig, 'utf8'), format },
      options: { arguments: given, network },
    },
    host.work.release(release),
    end,
  );
  if (answer.kind === 'made' || !answer.verdict.ofRequest) return undefined;
  const { kind, remedy } = answer.verdict;
  return new FlightlineError(kind, `the builder refuses its configuration:\n${answer.said}`, { remedy });
}
