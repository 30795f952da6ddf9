/** A person's word that a release goes on past a gate. */
import { Waived, WAIVE_UPDATE, type WaiveInput } from '../../../model/gate/gate.ts';
import { RECORD_QUERY } from '../../../model/contract/workflows.ts';
import { Digest } from '../../../model/oci/reference.ts';
import { ReleaseRecord } from '../../../model/release/record.ts';
import { REQUEST_TIMEOUT, withTemporal, type Temporal } from '../temporal.ts';
import { awaitControlWorker } from '../control.ts';
import { isNotFound, UserError } from '../../terminal/errors.ts';
import { EXIT } from '../../terminal/exit-codes.ts';
import type { Output } from '../../terminal/output.ts';
import { withInterrupt } from '../../terminal/signals.ts';
import { thisPerson } from '../../terminal/person.ts';
import { referenceOf, releaseIdOf } from '../release-name.ts';
import { failureOfError } from '../failure.ts';

/** What a person says. */
interface Word {
  gate: string | undefined;
  /** Undefined for all that the gate holds now. */
  digest: string | undefined;
  comment: string | undefined;
}

/**
 * Waives a gate for what it holds, and answers the exit code.
 *
 * @throws UserError `usage` when the gate or a reason is missing, `not-waiting` when the release refuses the word
 */
export async function waive(name: string, { gate, digest, comment = '' }: Word, output: Output): Promise<number> {
  if (gate === undefined) throw usage('--digest belongs to --waive', 'name the gate: --waive GATE');
  if (comment.trim() === '') throw usage('a waiver needs a reason, which the record keeps', 'say it: --comment WHY');
  if (digest !== undefined && !Digest.safeParse(digest).success) {
    throw usage(`${digest} is no digest`, '`flightline status RELEASE` shows what the gate holds: sha256:…');
  }
  const release = releaseIdOf(name);
  const said = { gate, by: thisPerson(), comment: comment.slice(0, 200) };
  return withTemporal((temporal) =>
    withInterrupt(async (signal) => {
      await awaitControlWorker(temporal, signal);
      const { reference, digests, resumed } = await send(temporal, release, said, digest);
      const goesOn = resumed.length > 0 ? `${resumed.join(', ')} goes on` : 'another gate still holds it';
      output.result(`${gate} is waived for ${digests.join(', ')}; ${goesOn}; watch it: flightline watch ${reference}`);
      output.document({ release, reference, ...said, digests, resumed });
      return EXIT.ok;
    }),
  );
}

function usage(message: string, remedy: string): UserError {
  return new UserError('usage', message, remedy, EXIT.usage);
}

async function send(
  temporal: Temporal,
  release: string,
  said: Omit<WaiveInput, 'digests'>,
  digest: string | undefined,
): Promise<Waived & { digests: string[] }> {
  const handle = temporal.client.workflow.getHandle(release);
  const reference = referenceOf(release);
  const help = `flightline status ${reference} shows what is held, flightline logs ${reference} gate why`;
  try {
    const digests = digest === undefined ? await heldBy(temporal, release, said.gate) : [digest];
    const word: WaiveInput = { ...said, digests };
    const answer = await temporal.within(REQUEST_TIMEOUT, () =>
      handle.executeUpdate<Waived, [WaiveInput]>(WAIVE_UPDATE, { args: [word] }),
    );
    return { ...Waived.parse(answer), digests };
  } catch (error) {
    if (isNotFound(error)) throw new UserError('not-waiting', `no release of ${reference} is running`, help);
    if (!(error instanceof Error) || error.name !== 'WorkflowUpdateFailedError') throw error;
    throw new UserError('not-waiting', failureOfError(error).message, help);
  }
}

/** The digests that the gate refuses now. The release says in words why there are none. */
async function heldBy(temporal: Temporal, release: string, gate: string): Promise<string[]> {
  const handle = temporal.client.workflow.getHandle(release);
  const record = ReleaseRecord.parse(await temporal.within(REQUEST_TIMEOUT, () => handle.query(RECORD_QUERY)));
  const refused = (record.gates ?? []).filter((one) => one.gate === gate && one.verdict === 'refused');
  return refused.map(({ digest }) => digest);
}
