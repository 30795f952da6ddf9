/** The end of a release sends the logs of its hosts to the registry, and hosts are asked what they do. */
import { describe, expect, test } from 'vitest';
import type { RecordInput } from '../../model/contract/sign.ts';
import type { HostStatus } from '../../model/contract/host-status.ts';
import type { KeepLogsInput } from '../../model/contract/host.ts';
import { keptOf, largestPayload } from '../support/history.ts';
import { idOf, requestFor } from './facts.ts';
import { useHouse } from './setup.ts';
import { failed } from './stand-ins.ts';

const house = useHouse('kept-logs');
const logRepository = 'registry.example/acme/kept/logs';

describe.concurrent('the logs of a release', () => {
  test('are sent once by each host before the record is written, within the budget of events', async () => {
    const { client, standIns, start } = house();
    const request = requestFor('kept', { logRepository });
    const release = idOf(request);
    const record = await (await start(request)).result();
    expect(record.logs).toEqual([
      { host: 'host-a', repository: logRepository, digest: expect.stringMatching(/^sha256:/) },
    ]);
    expect(record.warnings).toBeUndefined();
    const sent = standIns.callsOf(release, 'keepLogs');
    expect(sent.map(({ host }) => host)).toEqual(['host-a']);
    const { repository, paths } = sent[0]!.input as KeepLogsInput;
    expect(repository).toBe(logRepository);
    expect(paths).toEqual(['/logs/build.log', '/logs/disk-build-qcow2+vmdk.log', '/logs/disk-build-iso.log']);
    const [written] = standIns.callsOf(release, 'record');
    expect((written!.input as RecordInput).record.logs).toEqual(record.logs);
    const histories = await keptOf(client, release);
    expect(histories.reduce((sum, one) => sum + one.events.length, 0)).toBeLessThanOrEqual(200);
    expect(largestPayload(histories)).toBeLessThanOrEqual(10_000);
  });

  test('that a host cannot send, or a silent host has, are a warning', async () => {
    const { standIns, start } = house();
    const denied = requestFor('denied', { disks: {}, logRepository });
    standIns.behave(idOf(denied), {
      keepLogs: () => {
        throw failed('registry-denied', 'the account may not push');
      },
    });
    const record = await (await start(denied)).result();
    expect(record.status).toBe('released');
    expect(record.logs).toBeUndefined();
    expect(record.warnings).toEqual([
      `the logs of host-a are not in ${logRepository}, and stay on the host for 7 days: the account may not push`,
    ]);

    const lost = requestFor('lost', { disks: {}, logRepository });
    standIns.behave(idOf(lost), {
      build: (_, { ordinary }) => ({ ...ordinary(), log: { host: 'host-gone', path: '/logs/build.log' } }),
    });
    const begin = Date.now();
    const other = await (await start(lost)).result();
    expect(other.status).toBe('released');
    expect(other.warnings).toEqual([expect.stringContaining('the logs of host-gone are not in')]);
    expect(Date.now() - begin).toBeLessThan(15_000);
  });

  test('stay where they are when the request names no repository', async () => {
    const { standIns, start } = house();
    const request = requestFor('left', { disks: {} });
    const record = await (await start(request)).result();
    expect(record).not.toHaveProperty('logs');
    expect(standIns.callsOf(idOf(request), 'keepLogs')).toEqual([]);
  });
});

describe.concurrent('a host that is asked what it does', () => {
  const ask = (host: string) => house().ask('host', { host, within: 1_000 });

  test('answers', async () => expect(((await ask('host-b')) as HostStatus).host).toBe('host-b'));

  test('is silent when nobody takes the question up', async () => {
    await expect(ask('host-gone')).rejects.toMatchObject({
      cause: { type: 'no-host', message: expect.stringContaining('host-gone does not answer') },
    });
  });
});
