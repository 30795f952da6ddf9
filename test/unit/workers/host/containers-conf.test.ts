import { parse } from 'smol-toml';
import { describe, expect, it, test } from 'vitest';
import {
  containersConfFiles,
  containersConfText,
  mergeSettings,
  planContainersConf,
  type MachineFacts,
} from '../../../../workers/host/containers-conf.ts';
import { machineFacts } from '../../../../workers/host/machine-facts.ts';
import { hardLimits, hasSysResource } from '../../../../activities/tools/process/proc.ts';

const ordinary: MachineFacts = {
  cgroups: 'v2',
  mayRaiseLimits: true,
  hardLimits: { nofile: 524_288, nproc: 60_000 },
  runtimes: ['crun', 'runc'],
  configured: {},
};
const ulimits = (nofile: number, nproc: number) => ({
  containers: { default_ulimits: [`nofile=${nofile}:${nofile}`, `nproc=${nproc}:${nproc}`] },
});

describe('containers.conf', () => {
  test.each<[string, Partial<MachineFacts>, object, number]>([
    ['an ordinary machine', {}, {}, 0],
    ['pure version 1', { cgroups: 'v1' }, {}, 0],
    ['hybrid', { cgroups: 'hybrid' }, { engine: { runtime: 'runc' } }, 0],
    ['hybrid with runc alone', { cgroups: 'hybrid', runtimes: ['runc'] }, {}, 0],
    ['hybrid with runc configured', { cgroups: 'hybrid', configured: { engine: { runtime: 'runc' } } }, {}, 0],
    [
      'hybrid with crun configured by path',
      { cgroups: 'hybrid', configured: { engine: { runtime: '/usr/bin/crun' } } },
      { engine: { runtime: 'runc' } },
      0,
    ],
    ['hybrid without runc', { cgroups: 'hybrid', runtimes: ['crun'] }, {}, 1],
    ['no right to raise limits', { mayRaiseLimits: false }, ulimits(524_288, 60_000), 0],
    ['that, with high limits', { mayRaiseLimits: false, hardLimits: { nofile: Infinity, nproc: Infinity } }, {}, 0],
    [
      'that, with one low limit',
      { mayRaiseLimits: false, hardLimits: { nofile: Infinity, nproc: 500 } },
      ulimits(1_048_576, 500),
      0,
    ],
    [
      'that, with limits configured',
      { mayRaiseLimits: false, configured: { containers: { default_ulimits: ['nofile=1:1'] } } },
      {},
      0,
    ],
  ])('%s', (_case, facts, settings, problems) => {
    const plan = planContainersConf({ ...ordinary, ...facts });
    expect(plan.settings).toEqual(settings);
    expect(plan.problems).toHaveLength(problems);
    expect(plan.reasons.length > 0).toBe(Object.keys(settings).length > 0);
  });

  it('adds to what is there', () => {
    const merged = mergeSettings(
      { engine: { cgroup_manager: 'systemd', runtime: 'crun' }, network: { a: 1 } },
      { engine: { runtime: 'runc' } },
    );
    expect(merged).toEqual({ engine: { cgroup_manager: 'systemd', runtime: 'runc' }, network: { a: 1 } });
    expect(parse(containersConfText(merged, 'why'))).toEqual(merged);
  });

  it('is looked for where podman looks', () => {
    expect(containersConfFiles({ CONTAINERS_CONF: '/a', HOME: '/nowhere' })).toEqual(['/a']);
    expect(containersConfFiles({ HOME: '/nowhere', CONTAINERS_CONF_OVERRIDE: '/b' })).toEqual(
      expect.arrayContaining(['/etc/containers/containers.conf', '/nowhere/.config/containers/containers.conf', '/b']),
    );
  });
});

describe('what the kernel says', () => {
  test.each([
    ['CapEff:\t000001ffffffffff\n', true],
    ['CapInh:\t0\nCapEff:\t000001fffeffffff\n', false],
    ['', false],
  ])('capabilities %j', (status, may) => {
    expect(hasSysResource(status)).toBe(may);
  });

  it('hard limits', () => {
    const text = [
      'Limit                     Soft Limit           Hard Limit           Units     ',
      'Max processes             96365                96365                processes ',
      'Max open files            1024                 unlimited            files     ',
    ].join('\n');
    expect(hardLimits(text)).toEqual({ nofile: Infinity, nproc: 96_365 });
  });

  it('of this machine can be read', () => {
    const facts = machineFacts();
    expect(['v2', 'hybrid', 'v1']).toContain(facts.cgroups);
    expect(facts.hardLimits.nofile).toBeGreaterThan(0);
  });
});
