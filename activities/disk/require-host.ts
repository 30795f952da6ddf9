/** Whether a host may make these disks, by its own configuration. */
import { forbiddenOption } from '../../model/spec/disk.ts';
import type { DiskBuildInput } from '../../model/contract/disk.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import { isAllowed } from '../../model/spec/worker-configuration.ts';
import { repositoryOf } from '../tools/podman/build.ts';
import type { HostContext } from '../host/work-directory.ts';

/** @throws FlightlineError `invalid-input` or `builder-not-allowed` */
export function requireHost({ name, architecture, configuration }: HostContext, input: DiskBuildInput): void {
  if (input.architecture !== architecture) {
    throw new FlightlineError('invalid-input', `${name} builds for ${architecture}, not ${input.architecture}`);
  }
  if (!isAllowed(configuration.builders, repositoryOf(input.builder.reference))) {
    throw new FlightlineError('builder-not-allowed', `${name} may not run the builder ${input.builder.reference}`);
  }
  const forbidden = forbiddenOption(input, configuration.forbiddenBuilderOptions);
  if (forbidden !== undefined) {
    throw new FlightlineError('builder-not-allowed', `${name} forbids the builder option ${forbidden}`, {
      remedy: `leave ${forbidden} out of builder in the spec, or ask the operator to allow it`,
    });
  }
}
