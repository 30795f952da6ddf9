/** Where a release may write: below its own repository, and where the operator says. */
import { expect, it, test } from 'vitest';
import { requirePermitted } from '../../../../activities/resolve/permitted.ts';
import planRollback from '../../../../activities/tags/plan-rollback.ts';
import { movedNames, needsApproval } from '../../../../model/release/approval.ts';
import { FlightlineSpec } from '../../../../model/spec/flightline-spec.ts';
import { makeRequest } from '../../../../model/spec/make-request.ts';
import { WorkerConfiguration } from '../../../../model/spec/worker-configuration.ts';
import { DEFAULT_TIMING } from '../../../../model/base/timing.ts';
import { DIGEST } from '../../client/view/record.ts';

const PRODUCTION = 'quay.io/prod/edge';

function requestWith(repositories: Record<string, string>) {
  const made = makeRequest(
    FlightlineSpec.parse({
      name: 'edge',
      image: { repository: 'quay.io/dev/edge', tag: 'v1', alsoTag: ['stable'] },
      disks: [{ type: 'qcow2' }],
      signing: { key: 'release' },
      repositories,
    }),
    {
      context: { kind: 'artifact', digest: DIGEST },
      commit: undefined,
      date: '20261123',
      source: null,
      spec: `sha256:${'0'.repeat(64)}`,
    },
  );
  if (!made.ok) throw new Error(JSON.stringify(made.problems));
  return made.request;
}

it.each(['record', 'disk', 'context', 'logs'])('refuses a foreign repository for the %s', (member) => {
  const request = requestWith({ [member]: PRODUCTION });
  expect(() => requirePermitted(WorkerConfiguration.parse({}), request)).toThrow(
    expect.objectContaining({
      failure: expect.objectContaining({
        kind: 'repository-not-allowed',
        message: 'quay.io/prod/edge is not below quay.io/dev/edge',
      }) as object,
    }) as Error,
  );
});

test.each([
  ['the usual names', {}, {}, true],
  ['a name that only begins like its own', { record: '{{repository}}-release' }, {}, false],
  [
    'one that the operator lists',
    { record: '{{repository}}-release' },
    { 'quay.io/dev/edge': ['quay.io/dev/edge-release'] },
    true,
  ],
  ['one that is listed for another project', { record: PRODUCTION }, { 'quay.io/prod': [PRODUCTION] }, false],
])('%s', (_, repositories, furtherRepositories, allowed) => {
  const check = () => requirePermitted(WorkerConfiguration.parse({ furtherRepositories }), requestWith(repositories));
  if (allowed) expect(check).not.toThrow();
  else expect(check).toThrow(/is not below quay\.io\/dev\/edge/);
});

test.each([
  [['quay.io/dev/edge:v1'], true],
  [['quay.io/dev/edge/release:v*'], true],
  [['quay.io/dev/edge/diskimage-qcow2'], true],
  [['quay.io/dev/edge/diskimage-qcow2:stable'], false],
  [['quay.io/prod'], false],
])('approval for %j holds for every tag that a release moves: %s', (listed, needed) =>
  expect(needsApproval(listed, movedNames(requestWith({})))).toBe(needed),
);

it('refuses a rollback of a tag that needs approval, and says what asks for one', async () => {
  const configuration = WorkerConfiguration.parse({ approvals: [`${PRODUCTION}:stable`] });
  const where = { repository: PRODUCTION, tag: 'stable', recordRepository: `${PRODUCTION}/release` };
  const input = { ...where, record: 'v1', timing: DEFAULT_TIMING };
  await expect(planRollback({ configuration }, input)).rejects.toMatchObject({
    failure: {
      kind: 'approval-needed',
      remedy: { action: expect.stringContaining('--to quay.io/prod/edge:stable --allow-older'), then: null },
    },
  });
});
