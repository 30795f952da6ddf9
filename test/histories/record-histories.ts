/**
 * Records the histories that the replay test replays: `npx tsx test/histories/record-histories.ts SCENARIO…` for new
 * ones. Without names all are recorded anew: only when workflows change on purpose so that running releases could not
 * go on with them; otherwise the change goes through `patched()`.
 */
import { execFile } from 'node:child_process';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { ReleaseRequest } from '../../model/spec/request.ts';
import { DECIDE_UPDATE, shownDigests } from '../../model/release/approval.ts';
import { PROMOTION_QUERY, PROMOTION_WORKFLOW, promotionId, type Promotion } from '../../model/tags/promotion.ts';
import { CONTROL_QUEUE } from '../../model/contract/queue.ts';
import { builderRunId } from '../../model/oci/reference.ts';
import { RECORDED_SIGNAL, sharedTagId } from '../../model/tags/shared-tag.ts';
import { digestOf, idOf, requestFor } from '../workflows/facts.ts';
import { openHouse, type House, type ReleaseHandle } from '../workflows/house.ts';
import { openSharedTag, promotionRequest } from '../workflows/tags.ts';
import { installQuietRuntime, startServer } from '../workflows/server.ts';
import { failed, silent, untilCancelled } from '../workflows/stand-ins.ts';

const NAMESPACE = 'recording';
const ended = (handle: ReleaseHandle) => handle.result().catch(() => undefined);

interface Scenario {
  request: ReleaseRequest;
  /** Leads the release to its end; tells which of its builder runs are worth a file. */
  play: (house: House, request: ReleaseRequest) => Promise<string[]>;
  /** The workflow to record where it is not the release's. */
  workflow?: string;
}

const SCENARIOS: Record<string, Scenario> = {
  released: {
    request: requestFor('released', { alsoTag: ['latest'] }),
    play: async ({ start }, request) => {
      await ended(await start(request));
      return ['qcow2+vmdk', 'iso'];
    },
  },
  'held-and-fixed': {
    request: requestFor('held', { disks: { qcow2: 'artifact' } }),
    play: async ({ start, standIns, until, retry }, request) => {
      let fixed = false;
      standIns.behave(idOf(request), {
        build: ({ context }, { ordinary }) => {
          if (context.digest === digestOf('context')) throw failed('containerfile', 'exit status 1');
          return ordinary();
        },
        publish: (_, { ordinary }) => {
          if (!fixed) throw failed('registry-denied', 'denied');
          return ordinary();
        },
      });
      const handle = await start(request);
      await until(handle, 'held', ({ failure }) => failure?.kind === 'containerfile');
      await retry(handle, { ...request, context: { kind: 'artifact', digest: digestOf('fixed') } });
      await until(handle, 'held', ({ failure }) => failure?.kind === 'registry-denied');
      fixed = true;
      await retry(handle);
      await ended(handle);
      return ['qcow2'];
    },
  },
  'two-platforms': {
    request: requestFor('platforms', {
      disks: { qcow2: 'artifact' },
      platforms: ['amd64', 'arm64'],
      verification: 'bake',
    }),
    play: async ({ start, standIns, until, retry }, request) => {
      let fixed = false;
      standIns.behave(idOf(request), {
        push: ({ platform }, { ordinary }) => {
          if (platform === 'arm64' && !fixed) throw failed('registry-denied', 'denied');
          return ordinary();
        },
      });
      const handle = await start(request);
      await until(handle, 'held', ({ status }) => status === 'held');
      fixed = true;
      await retry(handle);
      await ended(handle);
      return ['qcow2-arm64'];
    },
  },
  'host-lost': {
    request: requestFor('lost', { disks: { iso: 'artifact' } }),
    play: async ({ start, standIns }, request) => {
      standIns.behave(idOf(request), {
        diskBuild: (_, { host, ordinary }) => (host === 'host-a' ? silent(4_000) : ordinary()),
        probe: () => silent(2_000),
      });
      await ended(await start(request));
      return ['iso'];
    },
  },
  'boot-tested': {
    request: requestFor('boot-tested', {
      disks: { qcow2: 'artifact', vmdk: 'artifact' },
      bootTest: { disk: 'qcow2', expect: 'login:', timeout: 60_000 },
    }),
    play: async ({ start }, request) => {
      await ended(await start(request));
      return ['qcow2+vmdk'];
    },
  },
  'logs-kept': {
    request: requestFor('logs-kept', { disks: {}, logRepository: 'registry.example/acme/logs-kept/logs' }),
    play: async ({ start }, request) => {
      await ended(await start(request));
      return [];
    },
  },
  'made-when-changed': {
    request: requestFor('made-when-changed', { disks: {}, rebuild: { maxAge: null, last: null } }),
    play: async ({ start }, request) => {
      await ended(await start(request));
      return [];
    },
  },
  /** What an earlier release made is taken over: its image, one of its two disks, and a tag that is new. */
  'part-missing': {
    request: requestFor('part-missing', { alsoTag: ['latest'], disks: { qcow2: 'artifact', vmdk: 'artifact' } }),
    play: async ({ start, standIns }, request) => {
      const image = digestOf('earlier image');
      const digest = digestOf('earlier vmdk');
      const file = { size: 1_000_000, sha256: digest.slice(7), host: 'host-a', path: null };
      const disks = [{ type: 'vmdk' as const, digest, file, inputs: { vmdk: digestOf('inputs of vmdk') } }];
      standIns.behave(idOf(request), {
        resolve: (_, { ordinary }) => ({
          ...ordinary(),
          existingTag: image,
          reuse: { digest: image, builtAt: '2026-01-01T00:00:00.000Z', disks },
        }),
      });
      await ended(await start(request));
      return ['qcow2'];
    },
  },
  cancelled: {
    request: requestFor('cancelled', { disks: { iso: 'artifact' } }),
    play: async ({ start, standIns, until }, request) => {
      standIns.behave(idOf(request), { diskBuild: untilCancelled });
      const handle = await start(request);
      await until(handle, 'building', () => standIns.callsOf(idOf(request), 'diskBuild').length > 0);
      await handle.cancel();
      await ended(handle);
      return ['iso'];
    },
  },
  approved: {
    request: requestFor('approved', { disks: {}, alsoTag: ['latest'], approval: 'required' }),
    play: async ({ start, until }, request) => {
      const handle = await start(request);
      const record = await until(handle, 'held', ({ failure }) => failure?.kind === 'approval-needed');
      const word = { decision: 'approve', by: 'ann', comment: 'tested', digests: shownDigests(record) };
      await handle.executeUpdate(DECIDE_UPDATE, { args: [word] });
      await ended(handle);
      return [];
    },
  },
  'shared-tag': {
    request: requestFor('shared-tag'),
    workflow: sharedTagId(requestFor('shared-tag').repository, 'stable'),
    play: async (house, { repository }) => {
      const tag = openSharedTag(house, 'shared-tag');
      await tag.move('a', 1);
      await tag.move('c', 3);
      await tag.move('b', 2);
      const handle = house.client.workflow.getHandle(sharedTagId(repository, 'stable'));
      await handle.signal(RECORDED_SIGNAL, { digest: digestOf('a'), record: digestOf('record of a') });
      await tag.rollback(null);
      return [];
    },
  },
  promotion: {
    request: requestFor('promotion'),
    workflow: promotionId(requestFor('promotion').repository, 'stable'),
    play: async ({ client }) => {
      const request = promotionRequest('promotion', { approval: 'required' });
      const handle = await client.workflow.start(PROMOTION_WORKFLOW, {
        workflowId: promotionId(request.target.repository, 'stable'),
        taskQueue: CONTROL_QUEUE,
        args: [request],
      });
      let state: Promotion;
      do state = await handle.query<Promotion>(PROMOTION_QUERY);
      while (state.status !== 'held');
      const digests = state.items.map(({ digest }) => digest);
      await handle.executeUpdate(DECIDE_UPDATE, {
        args: [{ decision: 'approve', by: 'ann', comment: 'tested', digests }],
      });
      await handle.result();
      return [];
    },
  },
  failed: {
    request: requestFor('failed', { onFailure: 'fail' }),
    play: async ({ start, standIns }, request) => {
      standIns.behave(idOf(request), {
        diskBuild: ({ branch }) => {
          if (branch === 'iso') throw failed('builder', 'osbuild failed');
          return untilCancelled();
        },
      });
      await ended(await start(request));
      return [];
    },
  },
};

/** A stack trace names paths of the machine it was recorded on; a replay does not look at it. */
function withoutStackTraces(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutStackTraces);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, name === 'stackTrace' ? '' : withoutStackTraces(member)]),
  );
}

installQuietRuntime();
const here = new URL('.', import.meta.url);
const server = await startServer([NAMESPACE]);
const house = await openHouse({ address: server.address, namespace: NAMESPACE, bundle: server.bundle });
try {
  const wanted = process.argv.slice(2);
  if (wanted.length === 0) {
    for (const name of await readdir(here)) if (name.endsWith('.json')) await rm(new URL(name, here));
  }
  for (const [name, { request, play, workflow }] of Object.entries(SCENARIOS)) {
    if (wanted.length > 0 && !wanted.includes(name)) continue;
    const runs = await play(house, request);
    const release = idOf(request);
    const files = new Map([
      [name, workflow ?? release],
      ...runs.map((subject): [string, string] => [`${name}.${subject}`, builderRunId(release, subject)]),
    ]);
    for (const [file, workflowId] of files) {
      const show = ['workflow', 'show', '--workflow-id', workflowId, '--output', 'json'];
      const place = ['--address', server.address, '--namespace', NAMESPACE];
      const { stdout } = await promisify(execFile)(server.cli, [...show, ...place], { maxBuffer: 64 * 1024 * 1024 });
      const history = withoutStackTraces(JSON.parse(stdout));
      await writeFile(new URL(`${file}.json`, here), `${JSON.stringify({ workflowId, history })}\n`);
      console.log(`recorded ${file}.json`);
    }
  }
} finally {
  await house.close();
  await server.stop();
}
