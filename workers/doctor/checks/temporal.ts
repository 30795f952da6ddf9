/** Whether the Temporal server that the environment names answers, and knows what a control worker needs. */
import { Client, Connection } from '@temporalio/client';
import { pollersOf } from '../../../activities/server.ts';
import { connectionProblem, temporalTarget } from '../../temporal/connection.ts';
import { namesOf, replayLeftBehind, requireReplay } from '../../temporal/replay.ts';
import { asksForWork, ASKS_WITHIN, SIGN_QUEUE, workerOfIdentity } from '../../../model/contract/queue.ts';
import { versionsAtWork } from '../../temporal/versions.ts';
import { workflowSource } from '../../workflow-source.ts';
import { chooseHostName } from '../../configuration.ts';
import { createCommand, planSearchAttributes } from '../../temporal/search-attributes.ts';
import { failed, ok, warning, type Check, type CheckResult } from '../check.ts';

const ANSWER_WITHIN = 5_000;

const temporal: Check = {
  name: 'Temporal',
  roles: ['control', 'build', 'sign'],
  async run({ roles, environment }) {
    const target = temporalTarget(environment);
    const { address, namespace } = target;
    let connection: Connection | undefined;
    try {
      connection = await Connection.connect({ ...target.connectionOptions, connectTimeout: ANSWER_WITHIN });
      const { workflowService, operatorService } = connection;
      await connection.withDeadline(Date.now() + ANSWER_WITHIN, () => workflowService.describeNamespace({ namespace }));
      if (roles.includes('control')) {
        const attributes = await connection
          .withDeadline(Date.now() + ANSWER_WITHIN, () => operatorService.listSearchAttributes({ namespace }))
          .catch(() => undefined);
        const plan = planSearchAttributes((attributes?.customAttributes ?? {}) as Record<string, number>);
        if (attributes && plan.missing.length > 0) {
          return warning(
            `${address} answers; the namespace "${namespace}" lacks ${plan.missing.join(', ')}`,
            `the control worker creates them when it may; else: ${createCommand(namespace, plan.missing)}`,
          );
        }
      }
      return ok(`${address} answers, namespace "${namespace}"`);
    } catch (error) {
      return failed(
        `${address}, namespace "${namespace}": ${connectionProblem(error)}`,
        'start a server (`flightline up` has an embedded one), or name it in TEMPORAL_ADDRESS or a profile',
      );
    } finally {
      await connection?.close();
    }
  },
};

/** Looks at something on the server, if that answers. */
async function onServer(
  environment: NodeJS.ProcessEnv,
  look: (client: Client) => Promise<CheckResult>,
): Promise<CheckResult> {
  const { connectionOptions, namespace } = temporalTarget(environment);
  const connection = await Connection.connect({ ...connectionOptions, connectTimeout: ANSWER_WITHIN }).catch(
    () => undefined,
  );
  if (!connection) return warning('not looked at: no server answers', 'see the check before');
  try {
    return await look(new Client({ connection, namespace }));
  } finally {
    await connection.close();
  }
}

/** The control worker checks the same when it starts, and then refuses to start. */
const underWay: Check = {
  name: 'releases under way',
  roles: ['control'],
  run: ({ environment }) =>
    onServer(environment, async (client) => {
      const source = await workflowSource();
      const replayed = await requireReplay(client, source);
      const { stuck } = await replayLeftBehind(client, source, await versionsAtWork(client, ASKS_WITHIN));
      if (stuck.length > 0) {
        return failed(
          `no worker of their version runs, and with this one would not go on: ${namesOf(stuck)}`,
          `start a control worker of ${[...new Set(stuck.map(({ version }) => version))].join(', ')}`,
        );
      }
      return ok(
        replayed === 0 ? 'none that another version began' : `all ${replayed} of other versions go on with this one`,
      );
    }),
};

/** All sign workers read, change and write the same tags. */
const soleSigner: Check = {
  name: 'other sign workers',
  roles: ['sign'],
  run: ({ configuration, environment }) =>
    onServer(environment, async (client) => {
      const deadline = Date.now() + ANSWER_WITHIN;
      const asking = await client.connection.withDeadline(deadline, () => pollersOf(client, SIGN_QUEUE));
      const own = chooseHostName(undefined, configuration);
      const others = asking.flatMap(({ identity, lastSeen }) => {
        const host = workerOfIdentity(identity)?.host;
        return host !== undefined && host !== own && asksForWork(lastSeen, Date.now()) ? [host] : [];
      });
      if (others.length === 0) return ok('none asks for work');
      return failed(
        `${[...new Set(others)].join(', ')} signs in this namespace too: one overwrites the signatures of the other`,
        'stop all sign workers but one; for another trust domain use another namespace',
      );
    }),
};

export const temporalChecks: readonly Check[] = [temporal, underWay, soleSigner];
