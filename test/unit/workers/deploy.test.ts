/** deploy/ by itself: its configurations are ones, and its files agree with each other and with the code. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { readContainerfile } from '../../../activities/context/containerfile.ts';
import { parseYamlFile } from '../../../model/spec/spec-file.ts';
import { WorkerConfiguration } from '../../../model/spec/worker-configuration.ts';
import { temporalTarget } from '../../../workers/temporal/connection.ts';
import { withWorkerMemory } from '../../../workers/memory.ts';
import { createCommand } from '../../../workers/temporal/search-attributes.ts';
import { SEARCH_ATTRIBUTES } from '../../../model/stage/stage.ts';

const DEPLOY = join(import.meta.dirname, '../../../deploy');
const read = (path: string) => readFileSync(join(DEPLOY, path), 'utf8');

function configuration(name: string): WorkerConfiguration {
  const parsed = parseYamlFile(read(`configuration/${name}`), WorkerConfiguration);
  if (!parsed.ok) throw new Error(`${name}: ${JSON.stringify(parsed.problems)}`);
  return parsed.value;
}

/** The files that a configuration names, but the work directory. */
function filesOf({ keys, registries, secrets, flightctl }: WorkerConfiguration): string[] {
  return [
    ...Object.values(keys).flatMap(({ privateKey, publicKey, passphraseFile }) => [
      ...(privateKey === undefined ? [] : [privateKey]),
      publicKey,
      ...(passphraseFile === undefined ? [] : [passphraseFile]),
    ]),
    ...registries.flatMap(({ authfile }) => authfile ?? []),
    ...Object.values(secrets).map(({ file }) => file),
    ...(flightctl ? [flightctl.configDirectory] : []),
  ].toSorted();
}

/** The values of a unit's key, in the order of its lines. */
const valuesOf = (unit: string, key: string) =>
  [...unit.matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].map(([, value]) => value!);

const MEMORY = Object.entries(withWorkerMemory({})).map(([name, value]) => `${name}=${value}`);

describe('worker configurations', () => {
  it.each(readdirSync(join(DEPLOY, 'configuration')))('%s is one', (name) => {
    expect(configuration(name).host).toBeDefined();
  });

  it('build.yaml names no key', () => expect(configuration('build.yaml').keys).toEqual({}));

  it.each(['', '-container'])('control%s.yaml names the public keys of the sign worker, and no others', (kind) => {
    const shown = Object.entries(configuration(`sign${kind}.yaml`).keys).map(([name, key]) => [
      name,
      { publicKey: key.publicKey.replace('flightline-sign', 'flightline-control'), repositories: key.repositories },
    ]);
    expect(configuration(`control${kind}.yaml`).keys).toEqual(Object.fromEntries(shown));
  });

  it.each(['control', 'build', 'sign'])('%s: the unit starts a worker with what holds less memory', (role) => {
    const values = valuesOf(read(`systemd/flightline-${role}.service`), 'Environment');
    expect(values.flatMap((value) => value.split(' '))).toEqual(expect.arrayContaining(MEMORY));
  });

  it.each(['control', 'build', 'sign'])('%s: the unit shares no temporary directory', (role) => {
    const unit = read(`systemd/flightline-${role}.service`);
    const own = `TMPDIR=/var/cache/${valuesOf(unit, 'CacheDirectory')[0]}`;
    const isPrivate = valuesOf(unit, 'CacheDirectoryMode')[0] === '0700' && valuesOf(unit, 'Environment').includes(own);
    expect(valuesOf(unit, 'PrivateTmp')[0] === 'yes' || isPrivate).toBe(true);
  });

  it('the container image starts a worker with what holds less memory', () => {
    const [, values] = /^ENV (.*)$/m.exec(read('Containerfile'))!;
    expect(values!.split(' ')).toEqual(expect.arrayContaining(MEMORY));
  });

  it.each(['control', 'sign'])('%s: the unit brings exactly the files that are named', (role) => {
    const unit = read(`systemd/flightline-${role}.service`);
    const brought = valuesOf(unit, 'LoadCredential').map((value) => value.split(':')[0]!);
    const named = filesOf(configuration(`${role}.yaml`));
    const place = `/run/credentials/flightline-${role}.service/`;
    expect([...named, `${place}temporal.toml`].toSorted()).toEqual(brought.map((name) => place + name).toSorted());
    expect(configuration(`${role}.yaml`).directories.work).toBe(`/var/lib/${valuesOf(unit, 'StateDirectory')[0]!}`);
  });

  it.each(['control', 'sign'])('%s: the Quadlet brings exactly the files that are named', (role) => {
    const unit = read(`quadlet/flightline-${role}.container`);
    const brought = valuesOf(unit, 'Secret').map((value) => `/run/secrets/${value.split(',')[0]!}`);
    const named = filesOf(configuration(`${role}-container.yaml`));
    expect([...named, '/run/secrets/flightline-temporal'].toSorted()).toEqual(brought.toSorted());
    expect(valuesOf(unit, 'Volume')[0]).toBe(`/etc/flightline/${role}-container.yaml:/etc/flightline/worker.yaml:ro,z`);
  });
});

describe('Temporal profiles', () => {
  const target = (name: string) => temporalTarget({ TEMPORAL_CONFIG_FILE: join(DEPLOY, 'temporal', name) });

  it('mtls.toml is read whole', () => {
    const { address, namespace, connectionOptions } = target('mtls.toml');
    expect([address, namespace]).toEqual(['temporal.example.com:7233', 'flightline']);
    expect(connectionOptions.tls).toMatchObject({
      serverNameOverride: 'temporal.example.com',
      serverRootCACertificate: expect.any(Uint8Array),
      clientCertPair: { crt: expect.any(Uint8Array), key: expect.any(Uint8Array) },
    });
  });

  it('api-key.toml turns TLS on', () => {
    const { address, connectionOptions } = target('api-key.toml');
    expect([address, connectionOptions.apiKey]).toEqual(['temporal.example.com:7233', "(this machine's)"]);
    expect(connectionOptions.tls).toBeTruthy();
  });

  it('set-up-namespace.sh creates the search attributes that workers need, and no others', () => {
    const script = read('temporal/set-up-namespace.sh').replaceAll(/\s*\\\n\s*/g, ' ');
    const [, arguments_] = /^temporal operator search-attribute create (.*)$/m.exec(script)!;
    const wanted = createCommand('"$namespace"', Object.keys(SEARCH_ATTRIBUTES));
    expect(`temporal operator search-attribute create ${arguments_!}`).toBe(wanted);
  });
});

describe('the Containerfile', () => {
  it('has one base, by build argument, and ends as a user that is not root', () => {
    const text = read('Containerfile');
    expect(readContainerfile(text, {}, 'amd64').images).toEqual(['docker.io/library/node:24-trixie-slim']);
    const own = readContainerfile(text, { BASE: 'registry.example.com/node:22' }, 'amd64');
    expect([own.images, own.base]).toEqual([['registry.example.com/node:22'], 'registry.example.com/node:22']);
    expect(/^USER (\S+)$/m.exec(text)![1]).toBe('10001:10001');
    for (const role of ['control', 'sign']) {
      expect(valuesOf(read(`quadlet/flightline-${role}.container`), 'User')).toEqual(['10001']);
    }
  });
});
