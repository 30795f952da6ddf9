import { parse } from 'smol-toml';
import { describe, expect, it } from 'vitest';
import { registriesConf } from '../../../../../../activities/tools/registry/reading/registries-conf.ts';
import { mirrorsOf, WorkerConfiguration } from '../../../../../../model/spec/worker-configuration.ts';

const configurationOf = (registries: object[]) => WorkerConfiguration.parse({ registries });
const confOf = (registries: object[], machine = '') => {
  const text = registriesConf(configurationOf(registries).registries, machine);
  return text === null ? null : parse(text);
};

describe('the registries.conf of a worker', () => {
  it('is none without mirrors', () => {
    expect(confOf([{ location: 'quay.io', insecure: true }])).toBeNull();
  });

  it('has the mirrors in their order; which is insecure, their own entries say', () => {
    const registries = [
      { location: 'quay.io', mirrors: ['mirror.example/quay', '127.0.0.1:5000/quay'] },
      { location: 'mirror.example', insecure: true },
    ];
    expect(confOf(registries)).toEqual({
      registry: [
        {
          prefix: 'quay.io',
          location: 'quay.io',
          insecure: false,
          mirror: [
            { location: 'mirror.example/quay', insecure: true },
            { location: '127.0.0.1:5000/quay', insecure: true },
          ],
        },
      ],
    });
  });

  it('keeps what the machine has', () => {
    const machine = [
      'unqualified-search-registries = ["docker.io"]',
      '[[registry]]',
      'prefix = "docker.io"',
      'blocked = true',
      '[[registry]]',
      'location = "quay.io"',
      '[[registry.mirror]]',
      'location = "old.example"',
    ].join('\n');
    expect(confOf([{ location: 'quay.io', mirrors: ['new.example'] }], machine)).toEqual({
      'unqualified-search-registries': ['docker.io'],
      registry: [
        { prefix: 'docker.io', blocked: true },
        {
          prefix: 'quay.io',
          location: 'quay.io',
          insecure: false,
          mirror: [{ location: 'new.example', insecure: false }, { location: 'old.example' }],
        },
      ],
    });
  });

  it('asks no mirror for a scope with an entry of its own', () => {
    const registries = [{ location: 'quay.io', mirrors: ['mirror.example'] }, { location: 'quay.io/acme' }];
    expect(confOf(registries)).toMatchObject({
      registry: [{ prefix: 'quay.io' }, { prefix: 'quay.io/acme', location: 'quay.io/acme', mirror: [] }],
    });
  });
});

it.each([
  ['quay.io/centos/stream10', ['mirror.example/quay/centos/stream10', 'other.example/centos/stream10']],
  ['quay.io/acme/edge', []],
  ['docker.io/library/debian', []],
])('the names of %s in mirrors are %j', (repository, expected) => {
  const configuration = configurationOf([
    { location: 'quay.io', mirrors: ['mirror.example/quay', 'other.example'] },
    { location: 'quay.io/acme' },
  ]);
  expect(mirrorsOf(configuration, repository)).toEqual(expected);
});
