/** The stage `gate`: lets gates look at what a branch has made, and goes on when each has passed it or is waived. */
import type { GateInput } from '../../../model/contract/build.ts';
import type { HostWork } from '../../../model/contract/queue.ts';
import { failureOf, type Failure, type LogLocation } from '../../../model/failure/failure.ts';
import { waiverOf, type GateOutcome, type GateVerdict } from '../../../model/gate/gate.ts';
import { activities } from '../../activities.ts';
import { toTemporalFailure } from '../../failure.ts';
import type { ClaimedHost } from '../../host/claimed-host.ts';
import { runStage, type StageBoard } from '../../run-stage.ts';

/** Milliseconds for a gate's container to start and to end, and for its image to be pulled. */
const GATE_MARGIN = 10 * 60_000;

/**
 * Runs the stage.
 *
 * @param told is called with what the gates said, before the stage fails for it
 * @throws StageFailed `gate` when one refused and nobody has waived it
 */
export async function passGates(
  board: StageBoard,
  host: ClaimedHost,
  input: GateInput,
  { work, told }: { work: Extract<HostWork, 'build' | 'disk'>; told: (verdicts: GateVerdict[]) => void },
): Promise<void> {
  const { branch, gates, looksAt, timing, waivers = [] } = input;
  const things = 'files' in looksAt ? looksAt.files.length : 1;
  const each = gates.reduce((sum, { timeout }) => sum + timeout + GATE_MARGIN, 0);
  const startToClose = timing.transferStartToClose + things * each;
  await runStage(board, { name: 'gate', subject: branch }, host.name, async () => {
    const result = await host.run((scheduleToStart) => {
      const place = { host: host.name, work, startToClose, scheduleToStart };
      return activities('stage', timing, `gates on ${branch} at ${host.name}`, place).gate(input);
    });
    told(result.outcomes.map(verdictOf));
    const refused = result.outcomes.filter((one) => !one.passed && !waiverOf(one, waivers));
    if (refused.length === 0) return result;
    const failure = refusedBy(refused, result.log);
    throw toTemporalFailure(failure, failure);
  });
}

function verdictOf({ gate, subject, digest, passed }: GateOutcome): GateVerdict {
  return { gate, subject, digest, verdict: passed ? 'passed' : 'refused' };
}

function refusedBy(refused: readonly GateOutcome[], log: LogLocation | null): Failure {
  const texts = refused.map(
    ({ gate, subject, digest, said }) => `the gate ${gate} refuses ${subject} (${digest}): ${said}`,
  );
  return failureOf('gate', texts.join('\n'), { stage: 'gate', log });
}
