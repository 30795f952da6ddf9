/** `flightline retry`: lets every held branch of a release go on, with a fixed spec if one is given. */
import type { Command } from '@commander-js/extra-typings';
import { isTemplate } from '../../model/base/template.ts';
import { RETRY_UPDATE, RetryResult } from '../../model/contract/workflows.ts';
import { releaseId } from '../../model/oci/reference.ts';
import { isFinal } from '../../model/stage/stage.ts';
import type { ReleaseRequest } from '../../model/spec/request.ts';
import { checkSpec, sendContextOf, type CheckedSpec } from '../project/checked-spec.ts';
import { describeSentFiles } from '../project/sent-files.ts';
import { REQUEST_TIMEOUT, withTemporal, type Temporal } from '../temporal/temporal.ts';
import { awaitControlWorker, noControlWorker } from '../temporal/control.ts';
import { detachable, printEnding } from '../follow/ending.ts';
import { followRelease } from '../follow/release.ts';
import { referenceOf, releaseIdOf } from '../temporal/release-name.ts';
import { openRelease } from '../temporal/release/release-view.ts';
import { failureOfError } from '../temporal/failure.ts';
import { RELEASE_ARGUMENT } from '../terminal/arguments.ts';
import { isUnavailable, UserError } from '../terminal/errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import type { Output } from '../terminal/output.ts';
import { interruptible } from '../terminal/pause.ts';
import { withInterrupt } from '../terminal/signals.ts';
import { verb, type OptionsOf } from '../verb.ts';

const syntax = (command: Command) =>
  command
    .argument(...RELEASE_ARGUMENT)
    .option('--spec <file>', 'pack and send the context of this spec again; stages whose inputs changed run again')
    .option('--detach', 'do not show the progress')
    .option('--public-context', 'send the context even if it holds private keys and anybody can read its repository');

type RetryOptions = OptionsOf<typeof syntax>;

export default verb({
  group: 'release',
  summary: 'let what is held go on',
  description: 'Let every held branch of a release go on.',
  examples: [
    'flightline retry quay.io/acme/edge-camera:v1',
    'flightline retry quay.io/acme/edge-camera:v1 --spec flightline.yaml',
  ],
  json: { help: 'print the record as JSON; progress goes to standard error', schemas: ['record'] },

  syntax,

  run: (args, options, output) => retry(args, options, output),
});

async function retry([name]: [string], options: RetryOptions, output: Output): Promise<number> {
  const id = releaseIdOf(name);
  const reference = referenceOf(id);
  const checked = options.spec === undefined ? null : await checkSpecFor(id, options.spec);
  for (const line of checked?.warnings ?? []) output.note(`warning: ${line}`);
  return withTemporal((temporal) =>
    withInterrupt(async (signal) => {
      const reader = await openRelease(temporal, id);
      await awaitControlWorker(temporal, signal);
      const before = (await reader.read()).record;
      if (isFinal(before.status)) {
        throw new UserError(
          'not-held',
          `${reference} has ended: ${before.status}`,
          'start it again with `flightline run`',
        );
      }
      if (!checked) output.note(await interruptible(describeSentFiles(before), signal));
      const request = checked && (await interruptible(requestOf(checked, options, output), signal));
      const { resumed } = await askToRetry(temporal, id, reader.runId, request, output);
      output.note(`going on with ${resumed.join(', ') || 'nothing'}`);
      return detachable(reference, async () => {
        if (!options.detach) {
          return printEnding(await followRelease(reader, output, { until: 'settled', signal }), temporal, output);
        }
        output.result(`watch it: flightline watch ${reference}`);
        output.document((await reader.read()).record);
        return EXIT.ok;
      });
    }),
  );
}

/** Checks that a spec is for this release. */
async function checkSpecFor(id: string, file: string): Promise<CheckedSpec> {
  // Use the release's tag: a template in the spec may give another one today.
  const tag = id.slice(id.lastIndexOf(':') + 1);
  const checked = await checkSpec(file, { tag });
  const { repository, tag: named } = checked.draft;
  if (releaseId(repository, named) === id) return checked;
  throw new UserError(
    'other-release',
    `${file} is for ${repository}, and this release is ${referenceOf(id)}`,
    'give the spec that the release was started with, with the same repository, tag and key',
  );
}

async function requestOf(checked: CheckedSpec, options: RetryOptions, output: Output): Promise<ReleaseRequest> {
  const { image } = checked.loaded.spec;
  // The tag was given literally above; the policy is still the one that the spec's own tag means.
  const tagPolicy = image.tagPolicy ?? (isTemplate(image.tag) ? 'move' : 'create');
  return { ...(await sendContextOf(checked, options, output)), tagPolicy };
}

async function askToRetry(
  temporal: Temporal,
  id: string,
  runId: string,
  request: ReleaseRequest | null,
  output: Output,
): Promise<RetryResult> {
  let standing = 'the release is still held';
  try {
    const update = await temporal.within(REQUEST_TIMEOUT, () =>
      temporal.client.workflow
        .getHandle(id, runId)
        .startUpdate(RETRY_UPDATE, { args: [{ request }], waitForStage: 'ACCEPTED' }),
    );
    standing = 'the release has heard it, and says in `flightline status` what became of it';
    if (request) output.note('the release looks at the changed spec');
    // A slow registry may take minutes: from here on the release goes on, or says why it does not.
    return RetryResult.parse(await update.result());
  } catch (error) {
    // Without a worker an update waits for ever.
    if (isUnavailable(error) || nameOf(error) === 'WorkflowUpdateRPCTimeoutOrCancelledError') {
      throw noControlWorker(temporal, standing);
    }
    if (nameOf(error) !== 'WorkflowUpdateFailedError') throw error;
    const { kind, message } = failureOfError(error);
    throw new UserError(
      kind === 'unexpected' ? 'not-held' : kind,
      `${referenceOf(id)} does not go on: ${message}`,
      `flightline status ${referenceOf(id)} shows where it stands`,
    );
  }
}

function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : '';
}
