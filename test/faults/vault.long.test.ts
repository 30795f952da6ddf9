/** Releases that are signed by a key in the transit engine of a Vault, by cosign 3 and 2: Debian's knows no Vault. */
import { mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { recordFrom, runFlightline } from '../support/flightline.ts';
import { cosign2, cosign3 } from '../support/go-program.ts';
import { startVault, type VaultKey } from '../support/openbao.ts';
import { makeProject, type Project } from '../support/project.ts';
import { digestOf } from '../support/registry.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';

let directory: string;
let vault: VaultKey;
let stack: TestStack;
let project: Project;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'flightline-vault-'));
  await cosign2();
  // What it points at is another version later.
  const cosign = join(directory, 'cosign');
  await symlink(await cosign3(), cosign);
  vault = await startVault(directory);
  Object.assign(process.env, vault.environment);
  stack = await startTestStack({
    configure: (before) => {
      const { repositories } = before.keys['release']!;
      const tools = { ...before.tools, cosign };
      return { ...before, tools, keys: { release: { kms: vault.uri, publicKey: vault.publicKey, repositories } } };
    },
  });
  project = await makeProject({
    registry: stack.registry,
    name: 'vault',
    lines: ['LABEL which=vault'],
    image: { alsoTag: ['stable'] },
    spec: { provenance: true },
  });
}, 60 * 60_000);
afterAll(async () => {
  for (const name of Object.keys(vault?.environment ?? {})) delete process.env[name];
  await project?.remove();
  await stack?.end();
  await vault?.stop();
  await rm(directory, { recursive: true, force: true });
});

it('is held while the Vault is sealed, then whole: signatures, provenance and record are by its key', async () => {
  const { environment } = stack;
  await vault.seal();
  const held = await runFlightline(['run', project.spec, '--json'], { environment });
  expect(held.exitCode, held.stderr).toBe(4);
  const { failure } = recordFrom(held);
  expect(failure).toMatchObject({ kind: 'key-missing' });
  expect(failure!.message).toMatch(/the key "release" cannot sign: .*sealed/is);
  expect(failure!.remedy!.action).toContain('cosign public-key');
  expect(await digestOf(project.release)).toBeNull();

  await vault.unseal();
  const run = await runFlightline(['retry', project.release, '--json'], { environment });
  expect(run.exitCode, run.stderr).toBe(0);
  for (const name of [project.release, `${project.repository}:stable`, `${project.repository}/release:v1`]) {
    const { exitCode, stderr } = await runFlightline(['verify', name, '--key', vault.publicKey], { environment: {} });
    expect(exitCode, stderr).toBe(0);
  }
  const refused = await runFlightline(['verify', project.release, '--key', stack.publicKey], { environment: {} });
  expect(refused.exitCode).not.toBe(0);
  const args = ['verify-attestation', '--key', vault.publicKey, '--insecure-ignore-tlog', '--type', 'slsaprovenance1'];
  await execa('cosign', [...args, project.release]);
  const logs = join(stack.directory, 'logs');
  const texts = await Promise.all((await readdir(logs)).map((name) => readFile(join(logs, name), 'utf8')));
  expect(texts.join('\n')).toContain('"audit":"signature"');
  expect(texts.join('\n')).not.toContain(vault.environment.VAULT_TOKEN);
});

it('is whole with cosign 2 as well', async () => {
  const { environment } = stack;
  await rm(join(directory, 'cosign'));
  await symlink(await cosign2(), join(directory, 'cosign'));
  const run = await runFlightline(['run', project.spec, '--tag', 'v2', '--json'], { environment });
  expect(run.exitCode, run.stderr).toBe(0);
  for (const name of [`${project.repository}:v2`, `${project.repository}/release:v2`]) {
    const { exitCode, stderr } = await runFlightline(['verify', name, '--key', vault.publicKey], { environment: {} });
    expect(exitCode, stderr).toBe(0);
  }
});
