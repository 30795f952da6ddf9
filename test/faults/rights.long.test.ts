/** Rights that end in the middle of a release: a login expires, a key file is taken away. */
import { mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { recordFrom, runFlightline, startFlightline } from '../support/flightline.ts';
import { buildProcesses, leftOvers } from '../support/host-state.ts';
import { LOGIN } from '../support/own-registry.ts';
import { makeProject, type Project } from '../support/project.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';
import { eventually } from '../support/wait.ts';

let scratch: string;
let stack: TestStack;
let project: Project;

const authfile = () => join(scratch, 'auth.json');
const auths = (registry: string, password: string) =>
  JSON.stringify({ auths: { [registry]: { auth: Buffer.from(`${LOGIN.username}:${password}`).toString('base64') } } });
const logIn = (registry: string, password: string) => writeFile(authfile(), auths(registry, password), { mode: 0o600 });

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'flightline-rights-'));
  const htpasswd = join(scratch, 'htpasswd');
  await writeFile(htpasswd, `${LOGIN.htpasswd}\n`);
  await writeFile(authfile(), '{"auths":{}}');
  stack = await startTestStack({ registryAuth: { htpasswd, authfile: authfile() } }, ({ registry }) =>
    logIn(registry, LOGIN.password),
  );
});
afterAll(async () => {
  await project?.remove();
  await stack?.end();
  await rm(scratch, { recursive: true, force: true });
});

it('holds the release with the remedy, twice, and goes on each time from where it was', async () => {
  // The person's own login does not expire.
  const environment = { ...stack.environment, REGISTRY_AUTH_FILE: join(scratch, 'person.json') };
  await writeFile(environment.REGISTRY_AUTH_FILE, auths(stack.registry, LOGIN.password), { mode: 0o600 });
  project = await makeProject({
    registry: stack.registry,
    name: 'rights',
    lines: [`RUN : ${Date.now()}; sleep 5`],
    disks: [],
  });
  const running = startFlightline(['run', project.spec, '--json'], { environment });
  await eventually('the image is built', async () =>
    (await buildProcesses(stack)).some(({ command }) => command === 'sleep 5') ? true : undefined,
  );
  await logIn(stack.registry, 'expired');
  await rename(stack.privateKey, `${stack.privateKey}.away`);
  const first = await running;
  expect(first.exitCode, String(first.stderr)).toBe(4);
  const held = recordFrom({ exitCode: 4, stdout: String(first.stdout), stderr: '' });
  expect(held.failure).toMatchObject({ kind: 'registry-login', stage: 'push' });
  expect(held.failure!.remedy.action).toContain('renew the registry login');

  await logIn(stack.registry, LOGIN.password);
  const second = await runFlightline(['retry', project.release, '--json'], { environment });
  expect(second.exitCode, second.stderr).toBe(4);
  const heldAgain = recordFrom(second);
  expect(heldAgain.failure).toMatchObject({ kind: 'key-missing', stage: 'sign' });

  await rename(`${stack.privateKey}.away`, stack.privateKey);
  const third = await runFlightline(['retry', project.release, '--json'], { environment });
  expect(third.exitCode, third.stderr).toBe(0);
  const record = recordFrom(third);
  expect(record.status).toBe('released');
  const row = (of: typeof record, name: string) => of.stages.find((one) => one.name === name)!;
  expect(row(record, 'build').startedAt, 'the build was kept').toBe(row(held, 'build').startedAt);
  expect(row(record, 'push').startedAt, 'the push was kept').toBe(row(heldAgain, 'push').startedAt);
  const verified = await runFlightline(['verify', project.release, '--key', stack.publicKey], { environment });
  expect(verified.exitCode, verified.stderr).toBe(0);
  expect(await leftOvers(stack)).toEqual([]);
});
