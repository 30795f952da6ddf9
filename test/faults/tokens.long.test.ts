/** A release that is signed by a key in a PKCS#11 token, through cosign 3. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { signatureTag } from '../../model/oci/reference.ts';
import { recordFrom, runFlightline, startFlightline } from '../support/flightline.ts';
import { cosign3 } from '../support/go-program.ts';
import { leftOvers } from '../support/host-state.ts';
import { makeProject, type Project, type ProjectOptions } from '../support/project.ts';
import { digestOf, manifestOf, tagsOf } from '../support/registry.ts';
import { makeTokenKey, missingForTokens, type TokenKey } from '../support/softhsm.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';
import { eventually } from '../support/wait.ts';

let directory: string;
let token: TokenKey;
let stack: TestStack;
const projects: Project[] = [];

beforeAll(async () => {
  const cosign = await cosign3();
  directory = await mkdtemp(join(tmpdir(), 'flightline-token-'));
  token = await makeTokenKey(directory);
  Object.assign(process.env, token.environment);
  stack = await startTestStack({
    configure: (before) => ({
      ...before,
      tools: { ...before.tools, cosign },
      keys: {
        release: {
          kms: token.uri,
          publicKey: token.publicKey,
          passphraseFile: token.pinFile,
          repositories: before.keys['release']!.repositories,
        },
      },
    }),
  });
}, 60 * 60_000);
afterAll(async () => {
  for (const one of projects) await one.remove();
  await stack?.end();
  await rm(directory, { recursive: true, force: true });
});

async function project(name: string, more: Partial<ProjectOptions> = {}): Promise<Project> {
  const made = await makeProject({ registry: stack.registry, name, lines: [`LABEL which=${name}`], ...more });
  projects.push(made);
  return made;
}
const signaturesOf = async (repository: string, digest: string): Promise<number> => {
  const manifest = (await manifestOf(`${repository}:${signatureTag(digest)}`)) as unknown as { layers: unknown[] };
  return manifest.layers.length;
};
const verify = (name: string) => runFlightline(['verify', name, '--key', token.publicKey], { environment: {} });

describe.skipIf(missingForTokens !== '')(`a release by a key in a token${missingForTokens}`, () => {
  it('is whole: image, disk and record verify as on a device, each signed once for each name', async () => {
    const { spec, release, repository } = await project('token', {
      image: { alsoTag: ['stable'] },
      disks: [{ type: 'qcow2' }],
    });
    const run = await runFlightline(['run', spec, '--json'], { environment: stack.environment });
    expect(run.exitCode, run.stderr).toBe(0);
    const { image } = recordFrom(run);
    for (const name of [
      release,
      `${repository}:stable`,
      `${repository}/diskimage-qcow2:v1`,
      `${repository}/release:v1`,
    ]) {
      const { exitCode, stderr } = await verify(name);
      expect(exitCode, stderr).toBe(0);
    }
    expect(await signaturesOf(repository, image.digest!)).toBe(2);
    const logs = join(stack.directory, 'logs');
    const texts = await Promise.all((await readdir(logs)).map((name) => readFile(join(logs, name), 'utf8')));
    expect(texts.join('\n')).toContain('"audit":"signature"');
    expect(texts.join('\n')).not.toContain((await readFile(token.pinFile, 'utf8')).trim());
    expect(await leftOvers(stack)).toEqual([]);
  });

  it('goes on when the sign worker is killed between signature and tag', async () => {
    const { spec, release, repository } = await project('token-killed');
    const running = startFlightline(['run', spec, '--json'], { environment: stack.environment });
    await eventually(
      'a signature',
      async () => (await tagsOf(repository)).some((tag) => tag.endsWith('.sig')) || undefined,
      { interval: 20 },
    );
    process.kill(stack.pidOf('sign'), 'SIGKILL');
    expect(await digestOf(release), 'the tag at the time of the kill').toBeNull();
    const { exitCode, stdout, stderr } = await running;
    expect(exitCode, String(stderr)).toBe(0);
    const { image } = recordFrom({ exitCode: 0, stdout: String(stdout), stderr: '' });
    expect(await signaturesOf(repository, image.digest!)).toBe(1);
    expect((await verify(release)).exitCode).toBe(0);
  });

  it('is held when the token does not open, and once it has locked itself until it is unlocked', async () => {
    await token.givePin('000000');
    const { spec, release } = await project('token-locked');
    const held = await runFlightline(['run', spec, '--json'], { environment: stack.environment });
    expect(held.exitCode, held.stderr).toBe(4);
    let { failure } = recordFrom(held);
    expect(failure).toMatchObject({ kind: 'key-passphrase' });
    expect(failure!.message).toContain('the token of the key "release" refuses the PIN');
    expect(failure!.remedy!.action).toContain('passphraseFile');
    expect(JSON.stringify(failure)).not.toContain('000000');
    expect(await digestOf(release)).toBeNull();

    const retry = () => runFlightline(['retry', release, '--json'], { environment: stack.environment });
    for (let tries = 0; tries < 4 && !failure!.message.includes('is locked'); tries++) {
      const again = await retry();
      expect(again.exitCode, again.stderr).toBe(4);
      failure = recordFrom(again).failure;
    }
    await token.givePin();
    const locked = await retry();
    expect(locked.exitCode, locked.stderr).toBe(4);
    ({ failure } = recordFrom(locked));
    expect(failure).toMatchObject({ kind: 'key-passphrase' });
    expect(failure!.message).toContain('the token of the key "release" is locked');
    expect(failure!.remedy!.action).toContain('unlock the token as its security officer');
    expect(await digestOf(release)).toBeNull();

    await token.unlock();
    const retried = await retry();
    expect(retried.exitCode, retried.stderr).toBe(0);
    expect((await verify(release)).exitCode).toBe(0);
  });
});
