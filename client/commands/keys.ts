/** `flightline keys`: what becomes of signing keys. */
import { timingWith } from '../../model/base/timing.ts';
import { Repository } from '../../model/oci/reference.ts';
import {
  ROTATION_REASONS,
  ROTATION_REPORT_QUERY,
  ROTATION_WORKFLOW,
  rotationId,
  RotationReport,
  RotationRequest,
} from '../../model/tags/rotation.ts';
import { withTemporal } from '../temporal/temporal.ts';
import { workflowReport } from '../temporal/workflow-report.ts';
import { positiveInteger } from '../terminal/arguments.ts';
import { UserError } from '../terminal/errors.ts';
import { EXIT } from '../terminal/exit-codes.ts';
import { verb, type VerbFamily } from '../verb.ts';

/** Names in a line, before the rest is counted. */
const NAMED = 12;

const rotate = verb({
  group: 'trust',
  summary: 'sign what is live with another key as well',
  description:
    'Sign every release of a repository, image, disks, record and attestations, with another key of the sign worker, ' +
    'for the names that the old one signed them for. The old signatures stay. It tells when every live tag verifies ' +
    'by the new key alone, and what devices need until then. Repeat it after an interruption.',
  examples: [
    'flightline keys rotate release release-2027 --repository quay.io/acme/edge-camera --dry-run',
    'flightline keys rotate release release-2027 --repository quay.io/acme/edge-camera --keep-last 7',
  ],
  json: { help: 'print how the tags stand as JSON', schemas: ['keys'] },
  syntax: (command) =>
    command
      .argument('<old>', "name of the key in the sign worker's configuration")
      .argument('<new>', 'name of the key that follows it')
      .requiredOption('--repository <repository>', 'the repository of the OS images, without a tag')
      .option('--keep-last <n>', 'only so many of the newest releases, and their further names', positiveInteger)
      .option('--dry-run', 'only say what would be signed')
      .option('--record-repository <repository>', 'repositories.record of the spec; default is REPOSITORY/release'),

  /** Exit code 1 when a live tag still needs the old key. */
  async run([oldKey, newKey], options, output) {
    const { repository, dryRun = false } = options;
    const recordRepository = options.recordRepository ?? `${repository}/release`;
    for (const name of [repository, recordRepository]) {
      const problem = Repository.safeParse(name).error?.issues[0]?.message;
      if (problem) throw new UserError('usage', `"${name}" ${problem}`, 'name the repository as the spec does');
    }
    if (oldKey === newKey) throw new UserError('usage', `"${oldKey}" is both keys`, 'name the key that follows it');
    const request = RotationRequest.parse({
      schemaVersion: 1,
      repository,
      recordRepository,
      oldKey,
      newKey,
      keepLast: options.keepLast ?? null,
      dryRun,
      timing: timingWith(),
    });
    const asked = {
      type: ROTATION_WORKFLOW,
      id: rotationId(repository),
      request,
      summary: `${dryRun ? 'dry run: ' : ''}rotate ${oldKey} to ${newKey} in ${repository}`.slice(0, 200),
      query: ROTATION_REPORT_QUERY,
      schema: RotationReport,
      running: `keys are being rotated in ${repository} already`,
    };
    return withTemporal(async (temporal) => {
      const report = await workflowReport(temporal, asked, output);
      output.result(renderRotation(report).join('\n'));
      output.document(report);
      return report.complete || dryRun ? EXIT.ok : EXIT.failed;
    });
  },
});

const family: VerbFamily = {
  group: 'trust',
  summary: 'rotate signing keys',
  description: 'Let another key follow the one that signed the releases of a repository.',
  examples: ['flightline keys rotate release release-2027 --repository quay.io/acme/edge-camera --dry-run'],
  verbs: { rotate },
};
export default family;

/** A line for each reason, then what devices must hold. */
function renderRotation({ repository, oldKey, newKey, dryRun, tags, complete }: RotationReport): string[] {
  const count = (reason: string) => tags.find((group) => group.reason === reason)?.tags.length ?? 0;
  const [names, signed] = [count('unsigned'), count('signed')];
  const head = dryRun
    ? `${names} tag${names === 1 ? '' : 's'} would be signed with "${newKey}"`
    : `${signed} tag${signed === 1 ? ' is' : 's are'} signed by "${newKey}"`;
  return [
    `${repository}: ${head}`,
    ...tags.map(({ reason, tags: named }) => {
      const more = named.length > NAMED ? ` and ${named.length - NAMED} more` : '';
      return `  ${named.slice(0, NAMED).join(', ')}${more}: ${ROTATION_REASONS[reason]}`;
    }),
    complete
      ? `every live tag verifies by "${newKey}" alone`
      : `until every live tag verifies by "${newKey}" alone, devices need "${oldKey}"`,
    'devices meanwhile: `flightline device-config --public-key OLD.pub --also-key NEW.pub` accepts either key',
    ...(complete
      ? [
          `then let releases sign with it (signing.key: ${newKey}); when all devices accept either key, ` +
            '`flightline device-config --public-key NEW.pub` is enough',
        ]
      : []),
  ];
}
