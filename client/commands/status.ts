/** `flightline status`: how a release, or a promotion, stands. */
import { workflowPage, type Temporal } from '../temporal/temporal.ts';
import { printPromotion } from '../follow/promotion.ts';
import { readPromotion, withReleaseOrPromotion } from '../temporal/promotion.ts';
import { openNamed, standingRun } from '../temporal/release/runs.ts';
import { RUN_ARGUMENT } from '../terminal/arguments.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import type { Output } from '../terminal/output.ts';
import { verb } from '../verb.ts';
import { renderStatus } from '../view/release.ts';

export default verb({
  group: 'release',
  summary: 'show how a release stands',
  examples: [
    'flightline status quay.io/acme/edge-camera:v1 --json',
    'flightline status quay.io/acme/edge-camera:v1@01a22b6b-7227',
  ],
  json: { help: 'print the record as JSON', schemas: ['record', 'promotion'] },

  syntax: (command) => command.argument(...RUN_ARGUMENT),

  async run([name], _, output) {
    return withReleaseOrPromotion(name, {
      release: (temporal) => printRelease(temporal, name, output),
      promotion: async (temporal, id) => {
        printPromotion(await readPromotion(temporal, id), output);
        return EXIT.ok;
      },
    });
  },
});

async function printRelease(temporal: Temporal, name: string, output: Output): Promise<number> {
  const view = await (await openNamed(temporal, name)).read();
  const { record } = view;
  const standing = await (await standingRun(temporal, record))?.read();
  const page = workflowPage(temporal.ui, temporal.namespace, record.release, record.runId);
  const { columns, colour } = output;
  output.result(renderStatus(view, standing, page, { colour: colour.result, columns, now: Date.now() }).join('\n'));
  output.document(record);
  return EXIT.ok;
}
