/** A registry that asks for a login: refused, held, fixed; and the password is nowhere to be read. */
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { recordFrom, runFlightline } from '../support/flightline.ts';
import { textsIn } from '../support/history.ts';
import { leftOvers } from '../support/host-state.ts';
import { makeProject, type Project } from '../support/project.ts';
import { startTestStack, withClient, type TestStack } from '../support/stack.ts';

const USER = 'releaser';
const PASSWORD = 'pw-4c1d9e77b0aa';
/** bcrypt of {@link PASSWORD}: the registry accepts no other form. */
const HASH = '$2b$05$abcdefghijklmnopqrstuu4zIlfhTaTuB8Ip5nQMuOshI3RaEJW8m';
const CANARY = 'canary-51d0b2f6aa';

let scratch: string;
let stack: TestStack;
let project: Project;
let authfile: string;
let environment: Record<string, string>;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'flightline-login-test-'));
  const htpasswd = join(scratch, 'htpasswd');
  authfile = join(scratch, 'auth.json');
  await writeFile(htpasswd, `${USER}:${HASH}\n`);
  await writeFile(authfile, '{"auths":{}}');
  stack = await startTestStack({ registryAuth: { htpasswd, authfile } }, ({ registry }) => logIn(registry, PASSWORD));
  // The person's own login, for sending the context.
  environment = { ...stack.environment, REGISTRY_AUTH_FILE: join(scratch, 'person.json') };
  await writeFile(environment['REGISTRY_AUTH_FILE']!, auths(stack.registry, PASSWORD), { mode: 0o600 });
  project = await makeProject({
    registry: stack.registry,
    name: 'login',
    lines: ['ARG MARK'],
    image: { buildArgs: { MARK: CANARY } },
    disks: [{ type: 'qcow2' }],
  });
});

afterAll(async () => {
  await project?.remove();
  await stack?.end();
  await rm(scratch, { recursive: true, force: true });
});

/** As docker writes it: its keys are URLs. */
const auths = (registry: string, password: string) =>
  JSON.stringify({
    auths: { [`https://${registry}/v1/`]: { auth: Buffer.from(`${USER}:${password}`).toString('base64') } },
  });

async function logIn(registry: string, password: string): Promise<void> {
  await writeFile(authfile, auths(registry, password), { mode: 0o600 });
}

it('holds a release whose login is refused, and goes on once it is renewed', async () => {
  await logIn(stack.registry, 'expired-password');
  const refused = await runFlightline(['run', project.spec, '--json'], { environment });
  // What resolve cannot read fails: there is nothing yet that a hold could keep.
  expect(refused.exitCode, refused.stderr).toBe(1);
  expect(recordFrom(refused).failure).toMatchObject({ kind: 'registry-login', stage: 'resolve' });

  await logIn(stack.registry, PASSWORD);
  const released = await runFlightline(['run', project.spec, '--json'], { environment });
  expect(released.exitCode, released.stderr).toBe(0);
  expect(recordFrom(released).status).toBe('released');
  expect(await leftOvers(stack)).toEqual([]);
});

it('shows the password in no history, log or file of the stack', async () => {
  const secrets = [PASSWORD, Buffer.from(`${USER}:${PASSWORD}`).toString('base64')];
  const texts = await withClient(stack, async (client) => {
    const found: string[] = [];
    for await (const { workflowId, runId } of client.workflow.list()) {
      const handle = client.workflow.getHandle(workflowId, runId);
      found.push(...textsIn(await handle.fetchHistory()), ...textsIn((await handle.describe()).raw));
    }
    return found;
  });
  const logs = join(stack.directory, 'logs');
  for (const name of await readdir(logs)) texts.push(await readFile(join(logs, name), 'utf8'));
  const everything = texts.join('\n');
  expect(everything.includes(CANARY), 'the search finds what is there').toBe(true);
  for (const secret of secrets) expect(everything.includes(secret)).toBe(false);
});
