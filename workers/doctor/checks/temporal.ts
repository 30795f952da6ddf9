/** Whether the Temporal server that the environment names answers, and knows what a control worker needs. */
import { Client, Connection } from '@temporalio/client';
import { connectionProblem, temporalTarget } from '../../temporal/connection.ts';
import { namesOf, replayLeftBehind, requireReplay } from '../../temporal/replay.ts';
import { ASKS_WITHIN } from '../../../model/contract/queue.ts';
import { versionsAtWork } from '../../temporal/versions.ts';
import { workflowSource } from '../../workflow-source.ts';
import { createCommand, planSearchAttributes } from '../../temporal/search-attributes.ts';
import { failed, ok, warning, type Check } from '../check.ts';

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

/** The control worker checks the same when it starts, and then refuses to start. */
const underWay: Check = {
  name: 'releases under way',
  roles: ['control'],
  async run({ environment }) {
    const { connectionOptions, namespace } = temporalTarget(environment);
    const connection = await Connection.connect({ ...connectionOptions, connectTimeout: ANSWER_WITHIN }).catch(
      () => undefined,
    );
    if (!connection) return warning('not looked at: no server answers', 'see the check before');
    try {
      const client = new Client({ connection, namespace });
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
    } finally {
      await connection.close();
    }
  },
};

export const temporalChecks: readonly Check[] = [temporal, underWay];
