import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, readdir, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { withGitContext } from '../../../../activities/context/git-context.ts';
import { unpackContextTar } from '../../../../activities/context/unpack.ts';

const TIME = 1_767_323_045;
const IDENTITY = ['-c', 'user.name=a', '-c', 'user.email=a@example.org', '-c', 'protocol.file.allow=always'];
const path = process.env.PATH;

// git is many programs, and most of them start more.
vi.setConfig({ testTimeout: 60_000 });

let root: string;
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'flightline-git-test-'));
});
afterEach(() => rm(root, { recursive: true, force: true }));
afterAll(() => {
  vi.resetConfig();
  process.env.PATH = path;
});

function git(name: string, ...args: string[]): string {
  const env = { ...process.env, GIT_COMMITTER_DATE: `@${TIME} +0000` };
  return execFileSync('git', ['-C', join(root, name), ...IDENTITY, ...args], {
    env,
    encoding: 'utf8',
    stdio: 'pipe',
  }).trim();
}

/** Makes a repository of these files, or commits them to it. */
async function commit(name: string, files: Record<string, string>): Promise<string> {
  const isNew = await mkdir(join(root, name), { recursive: true });
  if (isNew !== undefined) git(name, 'init', '--quiet', '--initial-branch=main');
  for (const [file, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, name, file)), { recursive: true });
    await writeFile(join(root, name, file), text);
  }
  git(name, 'add', '--all');
  git(name, 'commit', '--quiet', '--message=m');
  return git(name, 'rev-parse', 'HEAD');
}

const url = (name: string) => `file://${join(root, name)}`;

/** The context of a commit as a host has it. */
async function contextOf(ref: string, source: object = {}, schemes: string[] = ['file']): Promise<string> {
  const place = { subdirectory: '.', containerfile: 'Containerfile', builderConfig: null, ...source };
  return withGitContext({ kind: 'git', url: url('project'), ref, ...place }, schemes, async ({ artifact }) => {
    const out = await mkdtemp(join(root, 'out-'));
    return (await unpackContextTar(artifact.blobs[0]!.path, out, Infinity)).context;
  });
}

it('a directory of the repository may be a further build context, and none outside of it', async () => {
  const ref = await commit('project', { 'os/Containerfile': 'FROM x', 'tools/a': '1' });
  const context = await contextOf(ref, { subdirectory: 'os', buildContexts: { tools: '../tools' } });
  expect(await readdir(join(dirname(context), 'contexts/tools'))).toEqual(['a']);
  const outside = contextOf(ref, { subdirectory: 'os', buildContexts: { tools: '../..' } });
  await expect(outside).rejects.toThrow('leaves the git repository');
  const absent = contextOf(ref, { subdirectory: 'os', buildContexts: { tools: 'none' } });
  await expect(absent).rejects.toThrow('has no "none"');
});

it('all files get the time of the commit, and what git keeps for itself is left out', async () => {
  const first = await commit('project', { Containerfile: 'FROM x', 'd/a': '1' });
  await commit('project', { 'd/a': '2' });
  const context = await contextOf(first);
  expect((await readdir(context)).sort()).toEqual(['Containerfile', 'd']);
  expect(await readFile(join(context, 'd/a'), 'utf8')).toBe('1');
  for (const name of ['Containerfile', 'd', 'd/a']) expect((await stat(join(context, name))).mtimeMs).toBe(TIME * 1000);
});

it('the ignore file that the spec names counts alone', async () => {
  const ref = await commit('project', {
    Containerfile: 'FROM x',
    '.containerignore': 'b',
    'os/rules': 'a',
    a: '',
    b: '',
  });
  const sent = await readdir(await contextOf(ref, { ignoreFile: 'os/rules' }));
  expect(sent.filter((name) => name.length === 1)).toEqual(['b']);
});

describe('submodules', () => {
  it('come at their commits, also those of submodules, by relative URLs', async () => {
    await commit('deeper', { 'deep.conf': 'deep' });
    await commit('drivers', { 'driver.conf': 'old' });
    git('drivers', 'submodule', '--quiet', 'add', '../deeper', 'deeper');
    await commit('drivers', {});
    await commit('project', { Containerfile: 'FROM x' });
    git('project', 'submodule', '--quiet', 'add', url('drivers'), 'drivers');
    const ref = await commit('project', {});
    await commit('drivers', { 'driver.conf': 'new' });
    const context = await contextOf(ref);
    expect(await readFile(join(context, 'drivers/driver.conf'), 'utf8')).toBe('old');
    expect(await readFile(join(context, 'drivers/deeper/deep.conf'), 'utf8')).toBe('deep');
    expect(await readdir(join(context, 'drivers'))).not.toContain('.git');
  });

  it('come by allowed schemes only', async () => {
    const ref = await commit('project', {
      Containerfile: 'FROM x',
      '.gitmodules': '[submodule "d"]\n\tpath = d\n\turl = ssh://127.0.0.1/d\n',
    });
    git('project', 'update-index', '--add', '--cacheinfo', `160000,${ref},d`);
    git('project', 'commit', '--quiet', '--message=m');
    await expect(contextOf(git('project', 'rev-parse', 'HEAD'))).rejects.toMatchObject({
      failure: { kind: 'context-invalid', message: expect.stringContaining("transport 'ssh' not allowed") },
    });
  });
});

describe('Git LFS', () => {
  const content = 'large '.repeat(1000);
  const oid = createHash('sha256').update(content).digest('hex');
  const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${oid}\nsize ${content.length}\n`;
  const files = {
    Containerfile: 'FROM x',
    '.gitattributes': '*.bin filter=lfs diff=lfs merge=lfs -text\n',
    'model.bin': pointer,
  };

  it('is one clear error on a worker that lacks it', async () => {
    const ref = await commit('project', files);
    await mkdir(join(root, 'bin'));
    for (const program of await readdir('/usr/bin')) {
      if (program !== 'git-lfs') await symlink(join('/usr/bin', program), join(root, 'bin', program));
    }
    process.env.PATH = join(root, 'bin');
    try {
      await expect(contextOf(ref)).rejects.toMatchObject({
        failure: {
          kind: 'host-setup',
          message: expect.stringContaining('keeps model.bin in Git LFS'),
          remedy: { action: expect.stringContaining('git-lfs') },
        },
      });
    } finally {
      process.env.PATH = path;
    }
  });

  it('brings the content, and is an error when the server has none', async () => {
    const ref = await commit('project', files);
    await expect(contextOf(ref)).rejects.toMatchObject({ failure: { kind: 'context-invalid' } });
    const objects = join(root, 'project/.git/lfs/objects', oid.slice(0, 2), oid.slice(2, 4));
    await mkdir(objects, { recursive: true });
    await writeFile(join(objects, oid), content);
    expect(await readFile(join(await contextOf(ref), 'model.bin'), 'utf8')).toBe(content);
  });

  it('takes no server that the operator does not allow', async () => {
    const ref = await commit('project', { ...files, '.lfsconfig': '[lfs]\n\turl = http://127.0.0.1:1/lfs\n' });
    await expect(contextOf(ref)).rejects.toMatchObject({ failure: { kind: 'git-not-allowed' } });
  });
});

describe('what leads out of the repository is refused', () => {
  it.each<[string, object, (at: string) => Promise<unknown>, string]>([
    [
      'a Containerfile that is a link',
      {},
      (at) => symlink('/etc/hostname', join(at, 'Containerfile')),
      'leaves the git repository',
    ],
    ['a subdirectory', { subdirectory: '..' }, () => Promise.resolve(), 'leaves the git repository'],
    [
      'an ignore file beside the Containerfile',
      { containerfile: 'C' },
      async (at) => {
        await writeFile(join(at, 'C'), 'FROM x');
        await symlink('/etc/shadow', join(at, 'C.containerignore'));
      },
      'leaves the context',
    ],
    ['a subdirectory that is not there', { subdirectory: 'x' }, () => Promise.resolve(), 'has no "x"'],
  ])('%s', async (_, source, make, message) => {
    await mkdir(join(root, 'project'));
    git('project', 'init', '--quiet', '--initial-branch=main');
    await make(join(root, 'project'));
    const ref = await commit('project', { file: '' });
    await expect(contextOf(ref, source)).rejects.toMatchObject({
      failure: { kind: 'context-invalid', message: expect.stringContaining(message) },
    });
  });

  it('a Containerfile that is a link within it is taken', async () => {
    await commit('project', { 'os/real': 'FROM x' });
    await symlink('os/real', join(root, 'project/Containerfile'));
    const ref = await commit('project', {});
    expect((await readdir(await contextOf(ref))).sort()).toEqual(['Containerfile', 'os']);
  });
});
