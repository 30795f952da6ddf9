/** The part of a context that decides a release, and what makes it unusable. Pure. */
import { checkBuilderConfig } from '../../model/builder-config/builder-config.ts';
import type { ContextSummary } from '../../model/contract/dry-run.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import { AGENT_CONFIGURATION } from '../../model/spec/enrollment.ts';
import type { ReleaseRequest } from '../../model/spec/request.ts';
import { formatProblems } from '../../model/spec/spec-file.ts';
import { readContainerfile } from './containerfile.ts';
import type { ContextFacts } from './inspect.ts';

/**
 * Summarises a context: its digests, and the images that it seems to name.
 *
 * @throws FlightlineError `builder-configuration` for what the builder would refuse; `context-invalid` for a file where
 *   early binding places the agent configuration
 */
export function summariseContext(
  request: Pick<ReleaseRequest, 'buildArgs' | 'architecture' | 'platforms' | 'disks' | 'builder' | 'enrollment'>,
  digest: string,
  facts: ContextFacts,
): ContextSummary {
  const containerfile = readContainerfile(facts.containerfile, request.buildArgs, request.architecture);
  requireBuilderConfig(request, facts);
  if (request.enrollment?.binding === 'early' && facts.names.includes(AGENT_CONFIGURATION))
    throw configurationInContext();
  const { images, base } = containerfile;
  const { files, builderConfig } = facts;
  const platforms = request.platforms?.map((platform) => {
    const { images: named, base: last } = readContainerfile(facts.containerfile, request.buildArgs, platform);
    return { platform, images: named, base: last };
  });
  return { digest, files, images, base, ...(platforms && { platforms }), builderConfig };
}

/** The client checks too, but a worker cannot rely on that, and the client does not see a git context. */
function requireBuilderConfig(
  request: Pick<ReleaseRequest, 'disks' | 'builder'>,
  { builderConfig, builderConfigText }: ContextFacts,
): void {
  if (builderConfig === null || builderConfigText === null) return;
  const { format } = builderConfig;
  const use = { types: request.disks.map(({ type }) => type), rootfs: request.builder.rootfs };
  const { problems } = checkBuilderConfig(builderConfigText, format, use);
  if (problems.length === 0) return;
  const told = formatProblems(`config.${format}`, problems);
  throw new FlightlineError('builder-configuration', `the builder would refuse builder.config: ${told}`, {
    remedy: 'correct builder.config or the disk types',
  });
}

/** The context has a file where early binding places its own. */
export function configurationInContext(): FlightlineError {
  return new FlightlineError(
    'context-invalid',
    `the context holds ${AGENT_CONFIGURATION}, and early binding makes it`,
    {
      remedy: `remove ${AGENT_CONFIGURATION} from the context or name it in .containerignore`,
    },
  );
}
