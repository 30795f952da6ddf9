/** The files of an embedded stack: their paths, and the texts of the generated ones. Pure. */
import { join } from 'node:path';
import { stringify as toml } from 'smol-toml';
import { stringify as yaml } from 'yaml';
import type { WorkerConfiguration } from '../../model/spec/worker-configuration.ts';

/** The paths below DIR, except stack.json (stack/state.ts). */
export interface StackPaths {
  directory: string;
  database: string;
  logs: string;
  /** The registry's storage. */
  registry: string;
  registryConfiguration: string;
  workerConfiguration: string;
  /** What `flightline up --worker-config` gave. */
  givenConfiguration: string;
  containersConf: string;
  temporalProfile: string;
  environment: string;
  /** A directory for PATH, with `flightline` in it. */
  programs: string;
  keys: string;
  privateKey: string;
  publicKey: string;
  passphrase: string;
  /** The build worker's work directory. */
  work: string;
}

/** Name of the stack's key in the worker configuration, and of its files. */
export const STACK_KEY = 'release';

/** The paths in a stack's directory (absolute). */
export function stackPaths(directory: string): StackPaths {
  const at = (...parts: string[]) => join(directory, ...parts);
  return {
    directory,
    database: at('temporal.db'),
    logs: at('logs'),
    registry: at('registry'),
    registryConfiguration: at('registry.yml'),
    workerConfiguration: at('worker.yaml'),
    givenConfiguration: at('worker-given.yaml'),
    containersConf: at('containers.conf'),
    temporalProfile: at('temporal.toml'),
    environment: at('environment'),
    programs: at('bin'),
    keys: at('keys'),
    // skopeo generate-sigstore-key adds these endings to its prefix.
    privateKey: at('keys', `${STACK_KEY}.private`),
    publicKey: at('keys', `${STACK_KEY}.pub`),
    passphrase: at('keys', `${STACK_KEY}.passphrase`),
    work: at('work'),
  };
}

const GENERATED = 'The embedded stack writes this file at each start: changes are lost.';

/** A login that the stack's registry requires. */
export interface RegistryAuth {
  /** File of user names and bcrypt hashes. */
  htpasswd: string;
  /** containers-auth.json(5) with the login for workers and for the example images. */
  authfile: string;
}

/** The registry's configuration (distribution 2.8). Its log has a line per request, which shows the order of PUTs. */
export function registryConfigurationText(options: {
  storage: string;
  address: string;
  auth?: RegistryAuth | undefined;
}): string {
  const content = {
    version: 0.1,
    log: { level: 'warn', accesslog: { disabled: false } },
    storage: {
      filesystem: { rootdirectory: options.storage },
      delete: { enabled: true },
      // Removes uploads of killed pushes, which otherwise stay for a week. A running one never takes a day.
      maintenance: { uploadpurging: { enabled: true, age: '24h', interval: '24h', dryrun: false } },
    },
    http: { addr: options.address },
    ...(options.auth ? { auth: { htpasswd: { realm: 'flightline', path: options.auth.htpasswd } } } : {}),
  };
  return `# ${GENERATED}\n${yaml(content)}`;
}

/** The builder that is allowed besides the stack's own. */
const BOOTC_IMAGE_BUILDER = 'quay.io/centos-bootc/bootc-image-builder';

/** The worker configuration of a stack. */
export function stackWorkerConfiguration(options: {
  paths: StackPaths;
  host: string;
  /** `127.0.0.1:5000`, or `quay.io/acme`. */
  registry: string;
  authfile?: string | undefined;
}): WorkerConfiguration {
  const { paths, host, registry, authfile } = options;
  return {
    host,
    directories: { work: paths.work },
    emulatedDisks: false,
    tools: { syft: 'syft', cosign: 'cosign' },
    limits: { build: 2, disk: 1, transfer: 2 },
    cleaning: { below: '10%', until: '20%' },
    builders: [`${registry}/flightline/debian-builder`, BOOTC_IMAGE_BUILDER],
    rechunkers: [],
    forbiddenBuilderOptions: [],
    gates: [`${registry}/flightline/gates`],
    gatesWithNetwork: [],
    keys: {
      [STACK_KEY]: {
        privateKey: paths.privateKey,
        publicKey: paths.publicKey,
        passphraseFile: paths.passphrase,
        repositories: [registry],
      },
    },
    registries: authfile ? [{ location: registry, authfile, insecure: false }] : [],
    secrets: {},
    furtherRepositories: {},
    git: { schemes: ['https', 'file'] },
    context: { unpackedSize: '20 GiB' },
    approvals: [],
    webhooks: {},
    workerVersioning: false,
  };
}

/** The text of DIR/worker.yaml. */
export function workerConfigurationText(configuration: WorkerConfiguration): string {
  return `# ${GENERATED}\n${yaml(configuration)}`;
}

/** A profile for Temporal's tools and libraries, so that the user's own profiles do not affect the stack. */
export function temporalProfileText(target: { address: string; namespace: string }): string {
  return `# ${GENERATED}\n${toml({ profile: { default: target } })}`;
}

/** DIR/environment, to be read by a shell: `. DIR/environment`. `programs` is put before what PATH has. */
export function environmentText(variables: Record<string, string>, programs: string): string {
  const quoted = (value: string) => `'${value.replaceAll("'", `'\\''`)}'`;
  const lines = Object.entries(variables).map(([name, value]) => `export ${name}=${quoted(value)}`);
  const path = `export PATH=${quoted(programs)}":$PATH"`;
  return `# ${GENERATED}\n# In a shell: . this-file\n${[...lines, path].join('\n')}\n`;
}
