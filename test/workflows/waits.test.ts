/** What a person is told when a worker that a release needs is not there. */
import { expect, inject, test } from 'vitest';
import { openRelease } from '../../client/temporal/release/release-view.ts';
import { withTemporal } from '../../client/temporal/temporal.ts';
import { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';
import { checksFor } from '../../workers/doctor/all-checks.ts';
import { renderRelease } from '../../client/view/release.ts';
import { eventually } from '../support/wait.ts';
import { idOf, requestFor } from './facts.ts';
import { openHouse } from './house.ts';
import { installQuietRuntime } from './server.ts';

test('a release without a sign worker says so, and goes on when one comes', async () => {
  installQuietRuntime();
  const namespace = 'waits';
  const place = { address: inject('temporalAddress'), namespace, bundle: inject('workflowBundle') };
  const house = await openHouse({ ...place, sign: false });
  const request = requestFor('unsigned', { disks: {} });
  const handle = await house.start(request);
  await withTemporal(
    async (temporal) => {
      const reader = await openRelease(temporal, idOf(request));
      const shown = await eventually('the word', async () => {
        const lines = renderRelease(await reader.read(), { colour: false, columns: undefined, now: Date.now() });
        return lines.find((line) => line.includes('no sign worker'));
      });
      expect(shown!.trim()).toMatch(/^sign +image +waiting +waiting: no sign worker asks for work$/);
    },
    { TEMPORAL_ADDRESS: place.address, TEMPORAL_NAMESPACE: namespace },
  );
  const check = checksFor(['sign']).find(({ name }) => name === 'other sign workers')!;
  const environment = { TEMPORAL_ADDRESS: place.address, TEMPORAL_NAMESPACE: namespace };
  const others = () =>
    check.run({ roles: ['sign'], configuration: WorkerConfiguration.parse({ host: 'one' }), environment });
  expect(await others()).toMatchObject({ status: 'ok' });
  const signer = await openHouse({ ...place, control: false, standIns: house.standIns, signer: 'two' });
  expect((await handle.result()).status).toBe('released');
  expect(await others()).toMatchObject({ status: 'failed', detail: expect.stringContaining('two signs in this') });
  await Promise.all([house.close(), signer.close()]);
});
