/** Checks the webhooks of the worker configuration: their secrets exist, and their connections are encrypted. */
import { access, constants, stat } from 'node:fs/promises';
import { isLoopbackRegistry } from '../../../model/oci/reference.ts';
import type { WorkerConfiguration } from '../../../model/spec/worker-configuration.ts';
import { failed, ok, warning, type Check, type CheckResult } from '../check.ts';
import { worst } from './registries.ts';

const webhooks: Check = {
  name: 'webhooks',
  roles: ['control'],
  async run({ configuration }) {
    const names = Object.keys(configuration.webhooks);
    if (names.length === 0) return ok('the worker configuration has no webhooks');
    return worst(await Promise.all(names.map((name) => lookAtWebhook(configuration, name))));
  },
};

/** The result for one webhook. Nothing is sent to it. */
async function lookAtWebhook(
  { webhooks: all, secrets }: Pick<WorkerConfiguration, 'webhooks' | 'secrets'>,
  name: string,
): Promise<CheckResult> {
  const { url, hmacSecret } = all[name]!;
  const { protocol, host } = new URL(url);
  if (hmacSecret !== undefined) {
    const secret = Object.hasOwn(secrets, hmacSecret) ? secrets[hmacSecret] : undefined;
    if (!secret) {
      return failed(
        `webhook ${name}: there is no secret "${hmacSecret}"`,
        `add it under secrets, or correct hmacSecret`,
      );
    }
    try {
      await access(secret.file, constants.R_OK);
    } catch (error) {
      const remedy = 'put the file there, readable for the control worker';
      return failed(`webhook ${name}: ${(error as Error).message}`, remedy);
    }
    if (((await stat(secret.file)).mode & 0o077) !== 0) {
      return warning(
        `webhook ${name}: ${secret.file} can be read by others than its owner`,
        `chmod 600 ${secret.file}`,
      );
    }
  }
  if (protocol === 'http:' && !isLoopbackRegistry(host)) {
    return warning(`webhook ${name}: ${host} is used without encryption`, 'use an https URL');
  }
  return ok(`webhook ${name}: ${host}${hmacSecret === undefined ? ', unsigned' : `, signed with ${hmacSecret}`}`);
}

export const webhookChecks: readonly Check[] = [webhooks];
