/** `flightline status` and `watch`: how a release stands. */
import { promotionTarget } from '../../model/tags/promotion.ts';
import { withTemporal, workflowPage } from '../temporal/connection.ts';
import { detachable, printEnding } from '../temporal/ending.ts';
import { follow } from '../temporal/follow.ts';
import type { Output } from '../terminal/output.ts';
import { withInterrupt } from '../terminal/pause.ts';
import { referenceOf, releaseIdOf } from '../temporal/release-name.ts';
import { openRelease } from '../temporal/release-view.ts';
import { renderFailure, renderNotes, renderRelease } from '../view/release.ts';

/** `flightline status RELEASE`. */
export async function status(name: string, output: Output): Promise<number> {
  if (promotionTarget(name) !== undefined) return (await import('./promote.ts')).promotionStatus(name, output);
  const id = releaseIdOf(name);
  return withTemporal(async (temporal) => {
    const reader = await openRelease(temporal, id);
    const view = await reader.read();
    const { record } = view;
    const page = workflowPage(temporal.ui, temporal.namespace, record.release, record.runId);
    output.result(
      [
        ...renderRelease(view, { colour: output.colour.result, columns: undefined, now: Date.now() }),
        ...renderNotes(record, output.colour.result).map((line) => `  ${line}`),
        ...(record.failure ? renderFailure(record.failure, record, output.colour.result) : []),
        ...(page ? [page] : []),
      ].join('\n'),
    );
    output.document(record);
    return 0;
  });
}

/** `flightline watch RELEASE`: to its end, or until it is held. */
export async function watch(name: string, output: Output): Promise<number> {
  if (promotionTarget(name) !== undefined) return (await import('./promote.ts')).watchPromotion(name, output);
  const id = releaseIdOf(name);
  return withTemporal((temporal) =>
    withInterrupt((signal) =>
      detachable(referenceOf(id), async () => {
        const reader = await openRelease(temporal, id);
        return printEnding(await follow(reader, output, { until: 'settled', signal }), temporal, output);
      }),
    ),
  );
}
