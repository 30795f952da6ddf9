/** The registries.conf by which podman and skopeo find mirrors (containers-registries.conf(5)). */
import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { parse, stringify, type TomlTable } from 'smol-toml';
import { isLoopbackRegistry, registryOf, repositoryIsWithin } from '../../../../model/oci/reference.ts';
import { registryFor, type RegistryConfiguration } from '../../../../model/spec/worker-configuration.ts';

type Registries = RegistryConfiguration[];

/** The machine's file, as podman and skopeo choose it; empty without one. Drop-ins beside it hold as well. */
export async function machineRegistriesConf(environment: NodeJS.ProcessEnv = process.env): Promise<string> {
  const home = environment['HOME'] ?? homedir();
  const named = environment['CONTAINERS_REGISTRIES_CONF'];
  const files = named ? [named] : [join(home, '.config/containers/registries.conf'), '/etc/containers/registries.conf'];
  for (const file of files) {
    try {
      return await readFile(file, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return '';
}

/**
 * The text of the machine's file with the mirrors of the worker configuration, which come before its own; null without
 * any. An entry within a mirrored scope that has none keeps its repositories from the mirrors.
 */
export function registriesConf(registries: Registries, machine: string): string | null {
  const mirrored = registries.filter(({ mirrors }) => mirrors !== undefined);
  const listed = registries.filter(({ location }) =>
    mirrored.some((outer) => repositoryIsWithin(location, outer.location)),
  );
  if (listed.length === 0) return null;
  const settings = parse(machine);
  const before = Array.isArray(settings['registry']) ? (settings['registry'] as TomlTable[]) : [];
  const prefixOf = (table: TomlTable) => table['prefix'] ?? table['location'];
  const isListed = (table: TomlTable) => listed.some(({ location }) => location === prefixOf(table));
  const own = listed.map(({ location, mirrors = [] }) => {
    const there = before.find((table) => prefixOf(table) === location);
    const mirror = mirrors.map((name) => ({ location: name, insecure: isInsecure(registries, name) }));
    const theirs = mirrors.length > 0 && Array.isArray(there?.['mirror']) ? (there['mirror'] as TomlTable[]) : [];
    return {
      location,
      insecure: isInsecure(registries, location),
      ...there,
      prefix: location,
      mirror: [...mirror, ...theirs],
    };
  });
  return stringify({ ...settings, registry: [...before.filter((table) => !isListed(table)), ...own] });
}

function isInsecure(registries: Registries, name: string): boolean {
  // A scope may be a registry alone.
  return isLoopbackRegistry(registryOf(`${name}/`)) || registryFor({ registries }, name)?.insecure === true;
}
