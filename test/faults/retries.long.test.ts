/** A registry that stays away longer than anybody is willing to ask again. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { recordFrom, runFlightline } from '../support/flightline.ts';
import { leftOvers } from '../support/host-state.ts';
import { makeProject, type Project } from '../support/project.ts';
import { startProxiedStack } from '../support/proxied-stack.ts';
import { digestOf, tagsOf } from '../support/registry.ts';
import { TEST_TIMING } from '../support/stack.ts';

let site: Awaited<ReturnType<typeof startProxiedStack>>;
let project: Project;
beforeAll(async () => {
  site = await startProxiedStack();
});
afterAll(async () => {
  await project?.remove();
  await site?.end();
});

it('is asked for as long as `retryFor` says, then the release is held; `retry` goes on with what is done', async () => {
  const { stack, proxy } = site;
  const retryFor = 10_000;
  const environment = { ...stack.environment, FLIGHTLINE_TIMING: JSON.stringify({ ...TEST_TIMING, retryFor }) };
  project = await makeProject({ registry: proxy.address, name: 'away', lines: ['LABEL which=away'] });
  const path = project.repository.slice(proxy.address.length + 1);
  const manifests = /^\/v2\/test\/away\/manifests\/[^/]*$/;
  const away = proxy.inject({ method: 'PUT', path: manifests, what: { status: 503 } });
  const began = Date.now();
  const run = await runFlightline(['run', project.spec, '--json'], { environment });
  expect(run.exitCode, run.stderr).toBe(4);
  const held = recordFrom(run);
  expect(held.failure).toMatchObject({ kind: 'retries-exhausted', stage: 'push' });
  expect(held.failure!.message).toMatch(/503|Service Unavailable/);
  expect(held.failure!.remedy.then).toBe('retry');
  expect(away.hits).toBeGreaterThan(2);
  expect(Date.now() - began).toBeGreaterThan(retryFor);
  expect(await tagsOf(`${stack.registry}/${path}`)).toEqual([]);
  away.lift();
  const retried = await runFlightline(['retry', project.release, '--json'], { environment });
  expect(retried.exitCode, retried.stderr).toBe(0);
  const record = recordFrom(retried);
  const build = ({ stages }: typeof record) => stages.find(({ name }) => name === 'build');
  expect(build(record), 'built once').toEqual(build(held));
  expect(await digestOf(`${stack.registry}/${path}:v1`)).toBe(record.image.digest);
  expect(await leftOvers(stack)).toEqual([]);
});
