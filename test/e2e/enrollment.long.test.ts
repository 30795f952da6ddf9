/**
 * As enrollment.test.ts: a build that loses its worker, and an image with an enrollment, a pull secret and a
 * verification.
 */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { buildProcesses, leftOvers } from '../support/host-state.ts';
import { eventually } from '../support/wait.ts';
import {
  HELD,
  openEnrollmentSite,
  PASSWORD,
  PULL_SECRET,
  secretParts,
  type EnrollmentSite,
} from './enrollment-site.ts';
import { fileInImage } from './image-content.ts';

let site: EnrollmentSite;
beforeAll(async () => {
  site = await openEnrollmentSite();
});
afterAll(() => site?.close());

it('a certificate is asked for once, and goes with the build, also when its worker is killed', async () => {
  const before = (await site.client.calls()).length;
  const killed = await site.project('early-killed', {
    lines: ['ADD config.yaml /etc/flightctl/', `RUN sleep 600.${site.started % 1000}`],
    spec: { enrollment: { binding: 'early' } },
  });
  expect((await site.flightline('run', '--detach', killed.spec)).exitCode).toBe(0);
  const step = async () =>
    (await buildProcesses(site.stack)).find(({ command }) => command.startsWith('sleep 600'))?.pid;
  const first = await eventually('the step after the file runs', step);
  const [release] = await readdir(join(site.stack.work, 'releases'));
  const kept = await readFile(join(site.stack.work, 'releases', release!, 'enrollment.json'), 'utf8');
  const secrets = secretParts((JSON.parse(kept) as { text: string }).text);
  expect((await site.placesOf(secrets)).some((file) => file.includes('/overlay/'))).toBe(true);

  process.kill(site.stack.pidOf('build'), 'SIGKILL');
  await eventually('it runs again', async () => {
    const now = await step();
    return now !== undefined && now !== first ? now : undefined;
  });
  expect((await site.client.calls()).length - before).toBe(1);
  expect((await site.flightline('cancel', killed.release)).exitCode).toBe(0);
  await eventually('the release has ended', async () =>
    (await leftOvers(site.stack)).length === 0 ? true : undefined,
  );
  expect(await site.placesOf(secrets)).toEqual([]);
});

it('secrets and a policy in one image are adopted when the last of them fails, and gone from the host', async () => {
  const before = (await site.client.calls()).length;
  const policy = (entry: object) =>
    JSON.stringify({ default: [{ type: 'insecureAcceptAnything' }], transports: { docker: entry } });
  const all = await site.project('early-baked', {
    lines: ['ADD config.yaml /etc/flightctl/', 'COPY policy.json /etc/containers/policy.json'],
    files: { 'policy.json': policy({ [site.stack.registry]: [{ type: 'reject' }] }) },
    image: { pullSecret: 'pull' },
    spec: { enrollment: { binding: 'early' }, verification: 'bake' },
  });
  const held = await site.outcome(HELD, 'run', all.spec);
  expect(held.failure).toMatchObject({ kind: 'device-policy', stage: 'build' });
  const steps = async () =>
    (await readFile(held.failure!.log!.path, 'utf8')).split('\n').filter((line) => line.includes('COMMIT '));
  const built = (await steps()).length;
  expect((await site.outcome(HELD, 'retry', all.release)).failure).toMatchObject({ kind: 'device-policy' });
  expect(await steps()).toHaveLength(built);

  await all.write('policy.json', policy({}));
  const record = await site.retried(all, '--spec', all.spec);
  expect(record).toMatchObject({ status: 'released', image: { verified: true } });
  expect((await site.client.calls()).length - before).toBe(1);
  expect(record.warnings).toEqual([
    expect.stringContaining(`the enrollment key and the pull secret in the image from ${all.repository}: `),
  ]);
  const image = `${all.repository}@${record.image.digest}`;
  const config = (await fileInImage(image, 'etc/flightctl/config.yaml'))!;
  const login = (await fileInImage(image, 'etc/ostree/auth.json'))!;
  expect(login).toMatchObject({ mode: '-rw-------', text: PULL_SECRET });
  expect((await fileInImage(image, 'etc/containers/policy.json'))!.text).toContain(all.repository);
  const secrets = [...secretParts(config.text), PASSWORD];
  expect(await site.placesOf(secrets)).toEqual([]);
  expect(await leftOvers(site.stack)).toEqual([]);
});
