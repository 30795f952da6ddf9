/**
 * The `compare` activity of a nightly run: finds what a release would make anew, without building or sending anything.
 */
import type { ActivityAnswer } from '../../model/contract/activities.ts';
import { FlightlineError } from '../../model/failure/failure.ts';
import { expandNightly, type NightlyTemplate } from '../../model/release/nightly.ts';
import type { CompareInput } from '../../model/contract/control.ts';
import type { ReleaseRecord } from '../../model/release/record.ts';
import { parseReference } from '../../model/oci/reference.ts';
import type { ReleaseRequest } from '../../model/spec/request.ts';
import { isAllowedScheme, type WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { inputParts, type Current } from './change.ts';
import { inspectContext } from '../context/context-artifact.ts';
import { byContext, byRecordedContext } from './inputs-by-context.ts';
import { sinceLastRelease } from './last-release.ts';
import { summariseContext } from '../context/summary.ts';
import { ownRepositories } from './resolve.ts';
import { newestCommit } from '../tools/git.ts';
import { withRegistryAccess, type RegistryAccess } from '../tools/registry/access.ts';
import type { WorkerBody } from '../server.ts';

/** Fails as resolve would. */
async function compareNightly(
  { configuration }: { configuration: WorkerConfiguration },
  { template, at }: CompareInput,
): Promise<ActivityAnswer<'compare'>> {
  const commit = await commitNow(template, configuration);
  const expanded = expandNightly(template, { at, commit, standing: template.rebuild?.last ?? null });
  if (!expanded.ok) throw new FlightlineError(expanded.failure.kind, expanded.failure.message, expanded.failure);
  const { request } = expanded;
  if (!request.rebuild) {
    return { commit, change: 'image', reason: 'every run is a release (rebuild: always)', standing: null };
  }
  const since = await compareNow(request, configuration);
  const standing = since.record && parsedTag(since.record.image.reference);
  return { commit, change: since.change, reason: since.reason, standing };
}

async function commitNow({ context }: NightlyTemplate, configuration: WorkerConfiguration): Promise<string | null> {
  if (context.kind !== 'git') return null;
  const { schemes } = configuration.git;
  if (!isAllowedScheme(schemes, context.url)) {
    throw new FlightlineError('git-not-allowed', `git contexts may come by ${schemes.join(', ') || 'no scheme'} here`);
  }
  return newestCommit(context.url, context.ref, schemes);
}

async function compareNow(request: ReleaseRequest, configuration: WorkerConfiguration) {
  return withRegistryAccess(configuration, ownRepositories(request), (access) =>
    sinceLastRelease(access, request, configuration, (record) => current(access, record, request, configuration)),
  );
}

/** The inputs of a release. Reads the context only when the record does not know it. */
async function current(
  access: RegistryAccess,
  record: ReleaseRecord,
  request: ReleaseRequest,
  configuration: WorkerConfiguration,
): Promise<Current> {
  const known = await byRecordedContext(record, request, configuration);
  if (known) return known;
  const { context } = request;
  if (context.kind === 'git' || !record.inputs?.parts) return unlike(request, record);
  const artifact = { repository: request.contextRepository, digest: context.digest };
  const facts = await inspectContext(access, artifact, configuration);
  const summary = summariseContext(request, context.digest, facts);
  return byContext(record, summary, request, configuration);
}

/** For a record that says too little for a comparison. */
function unlike(request: ReleaseRequest, { inputs }: ReleaseRecord): Current {
  const unknown = { files: `sha256:${'0'.repeat(64)}`, builderConfig: null };
  return {
    request,
    parts: inputParts(request, unknown),
    context: '',
    bases: inputs?.base ?? [],
    builder: null,
    approval: false,
  };
}

function parsedTag(reference: string): string | null {
  const parsed = parseReference(reference);
  return parsed.ok ? (parsed.reference.tag ?? null) : null;
}

export default compareNightly satisfies WorkerBody<'compare'>;
