/**
 * A Temporal server as people run it: its own program, PostgreSQL for histories and visibility, and client certificates
 * at every port. Built once from source; PostgreSQL is the machine's own.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdir, mkdtemp, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NativeConnection } from '@temporalio/worker';
import { execa } from 'execa';
import { chooseFreePorts } from '../../workers/stack/ports.ts';
import { temporalTarget } from '../../workers/temporal/connection.ts';
import { temporalCliCachePath } from '../../workers/stack/temporal-cli/temporal-cli-version.ts';
import { certificates, SERVER_NAME, type Certificates } from './certificates.ts';
import { ROOT } from './flightline.ts';
import { ask, DATABASE_USER as USER, startPostgres } from './postgres.ts';
import { stopped } from './stopped.ts';
import { eventually } from './wait.ts';

/** That of the Temporal CLI that tests use otherwise. */
const VERSION = '1.29.1';
/** How many parts the server divides workflows into, for good; 512 is usual where many thousands run at once. */
const SHARDS = 16;
const STORES = { temporal: 'temporal', visibility: 'temporal_visibility' };

export interface TemporalCluster {
  /**
   * Makes a namespace as deploy/README.md says. Returns what workers and commands need: a profile made of
   * deploy/temporal/mtls.toml.
   */
  namespace(name: string): Promise<Record<string, string>>;
  /** The server's process. */
  pid(): number;
  /** Kills the server as a power cut would, waits, and starts it again. */
  restart(pauseMs: number): Promise<void>;
  /** One value of the server's database. */
  ask(sql: string): Promise<string>;
  end(): Promise<void>;
}

/** Starts all of it. */
export async function startTemporalCluster(): Promise<TemporalCluster> {
  const directory = await mkdtemp(join(tmpdir(), 'flightline-cluster-'));
  const undo: (() => unknown)[] = [() => rm(directory, { recursive: true, force: true })];
  const end = async () => {
    for (const step of undo.reverse()) await step();
  };
  try {
    const programs = await serverPrograms();
    const ports = await chooseFreePorts(9);
    undo.push(await startPostgres(join(directory, 'postgres'), ports[0]!));
    for (const [schema, name] of Object.entries(STORES)) await makeSchema(programs.sql, ports[0]!, schema, name);
    const tls = await certificates(join(directory, 'certificates'), ['cluster', 'client']);
    await mkdir(join(directory, 'config'));
    await writeFile(join(directory, 'config/cluster.yaml'), JSON.stringify(serverConfiguration(ports, tls)));
    const log = await open(join(directory, 'server.log'), 'a');
    undo.push(() => log.close());
    let server = start(programs.server, directory, log.fd);
    undo.push(() => stopped(server));
    const address = `127.0.0.1:${ports[1]!}`;
    const system = await profile(directory, address, 'temporal-system', tls);
    await answers(system, directory);
    return {
      namespace: async (name) => {
        const environment = await profile(directory, address, name, tls);
        const operator = await asTheirs(environment, tls);
        const path = `${join(temporalCliCachePath(process.env), '..')}:${process.env['PATH']}`;
        const script = join(ROOT, 'deploy/temporal/set-up-namespace.sh');
        await execa('sh', [script, name, '3d'], { env: { ...operator, PATH: path } });
        return environment;
      },
      pid: () => server.pid!,
      restart: async (pauseMs) => {
        await stopped(server, 'SIGKILL');
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
        server = start(programs.server, directory, log.fd);
        await answers(system, directory);
      },
      ask: (sql) => ask(ports[0]!, sql),
      end,
    };
  } catch (error) {
    await end();
    throw error;
  }
}

/** The server and its schema tool, built into the cache beside the Temporal CLI. The first time takes ten minutes. */
async function serverPrograms(): Promise<{ server: string; sql: string }> {
  const bin = join(temporalCliCachePath(process.env), '../..', `temporal-server-${VERSION}`);
  const names = { server: 'cmd/server', sql: 'cmd/tools/sql' };
  const there: string[] = await readdir(bin).catch(() => []);
  for (const [name, directory] of Object.entries(names)) {
    if (there.includes(name)) continue;
    console.log(`building Temporal's ${name} ${VERSION} from source`);
    await execa('go', ['install', `go.temporal.io/server/${directory}@v${VERSION}`], { env: { GOBIN: bin } });
  }
  return { server: join(bin, 'server'), sql: join(bin, 'sql') };
}

function start(program: string, directory: string, log: number): ChildProcess {
  const args = ['--root', directory, '--config', 'config', '--env', 'cluster', '--allow-no-auth', 'start'];
  return spawn(program, args, { cwd: directory, stdio: ['ignore', log, log] });
}

async function answers(environment: Record<string, string>, directory: string): Promise<void> {
  const { connectionOptions } = temporalTarget(environment);
  try {
    await eventually(
      'the Temporal server answers',
      async () => {
        const connection = await NativeConnection.connect(connectionOptions).catch(() => undefined);
        await connection?.close();
        return connection === undefined ? undefined : true;
      },
      { timeout: 120_000, interval: 500 },
    );
  } catch (error) {
    console.error((await readFile(join(directory, 'server.log'), 'utf8')).slice(-4_000));
    throw error;
  }
}

/** deploy/temporal/mtls.toml, filled in. */
async function profile(directory: string, address: string, namespace: string, tls: Certificates) {
  const text = await readFile(join(ROOT, 'deploy/temporal/mtls.toml'), 'utf8');
  const texts = [tls.authority, tls.of('client').certificate, tls.of('client').key];
  const pems = await Promise.all(texts.map((file) => readFile(file, 'utf8')));
  let filled = text
    .replace('temporal.example.com:7233', address)
    .replace('namespace = "flightline"', `namespace = "${namespace}"`);
  for (const pem of pems)
    filled = filled.replace(/-----BEGIN [A-Z ]+-----\n\(.*\)\n-----END [A-Z ]+-----\n/, () => pem);
  const file = join(directory, `${namespace}.toml`);
  await writeFile(file, filled, { mode: 0o600 });
  return { TEMPORAL_CONFIG_FILE: file };
}

/** The profile as Temporal's command line takes it: for 1.5.1 the authority must be a file (see mtls.toml). */
async function asTheirs({ TEMPORAL_CONFIG_FILE: file }: Record<string, string>, tls: Certificates) {
  const text = await readFile(file!, 'utf8');
  const own = `${file!}.operator`;
  const path = `server_ca_cert_path = "${tls.authority}"`;
  await writeFile(own, text.replace(/server_ca_cert_data = """[^"]*"""/, path), { mode: 0o600 });
  return { TEMPORAL_CONFIG_FILE: own };
}

/** As Temporal's own config/development-postgres12.yaml, with certificates. */
function serverConfiguration(ports: readonly number[], tls: Certificates): object {
  const [database, frontend, ...others] = ports as [number, number, ...number[]];
  const host = '127.0.0.1';
  const [matching, history, worker, ...membership] = others as [number, number, number, ...number[]];
  const rpc = (grpcPort: number, index: number) => ({
    rpc: { grpcPort, membershipPort: membership[index]!, bindOnIP: host },
  });
  const sql = (databaseName: string) => ({
    sql: {
      pluginName: 'postgres12_pgx',
      databaseName,
      connectAddr: `${host}:${database}`,
      connectProtocol: 'tcp',
      user: USER,
      password: USER,
      maxConns: 20,
      maxIdleConns: 20,
      maxConnLifetime: '1h',
    },
  });
  const { certificate: certFile, key: keyFile } = tls.of('cluster');
  const client = { serverName: SERVER_NAME, rootCaFiles: [tls.authority] };
  const side = { server: { certFile, keyFile, requireClientAuth: true, clientCaFiles: [tls.authority] }, client };
  return {
    log: { stdout: true, level: 'warn' },
    persistence: {
      defaultStore: 'histories',
      visibilityStore: 'visibility',
      numHistoryShards: SHARDS,
      datastores: { histories: sql(STORES.temporal), visibility: sql(STORES.visibility) },
    },
    global: {
      membership: { maxJoinDuration: '30s', broadcastAddress: host },
      tls: { internode: side, frontend: side, systemWorker: { certFile, keyFile, client } },
    },
    services: {
      frontend: rpc(frontend, 0),
      matching: rpc(matching, 1),
      history: rpc(history, 2),
      worker: rpc(worker, 3),
    },
    clusterMetadata: {
      enableGlobalNamespace: false,
      failoverVersionIncrement: 10,
      masterClusterName: 'active',
      currentClusterName: 'active',
      clusterInformation: {
        active: { enabled: true, initialFailoverVersion: 1, rpcName: 'frontend', rpcAddress: `${host}:${frontend}` },
      },
    },
    publicClient: { hostPort: `${host}:${frontend}` },
  };
}

async function makeSchema(tool: string, port: number, schema: string, name: string): Promise<void> {
  const at = [
    '--ep',
    '127.0.0.1',
    '-p',
    String(port),
    '-u',
    USER,
    '--pw',
    USER,
    '--pl',
    'postgres12_pgx',
    '--db',
    name,
  ];
  await execa(tool, [...at, 'create']);
  await execa(tool, [...at, 'setup-schema', '-v', '0.0']);
  await execa(tool, [...at, 'update-schema', '--schema-name', `postgresql/v12/${schema}`]);
}
