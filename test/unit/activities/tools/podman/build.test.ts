import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildCgroup } from '../../../../../activities/tools/process/cgroup.ts';
import { cgroupPath, cgroupProcesses } from '../../../../../activities/tools/process/cgroup-processes.ts';
import {
  buildArguments,
  builtImageName,
  labelsToSet,
  releaseImages,
  releaseLabels,
} from '../../../../../activities/tools/podman/build.ts';
import { parseReference } from '../../../../../model/oci/reference.ts';

const DIGEST = `sha256:${'ab'.repeat(32)}`;
const INSTALLATION = '0f3c1b7e-3d1a-4a53-9a3e-2b9f6e0a7c11';
const RELEASE = 'release/quay.io/acme/edge:1';

describe('the command line of podman build', () => {
  const command = {
    context: '/srv/r/context/context',
    containerfile: '/srv/r/context/containerfile/Edge.in',
    output: '/srv/r/build-output',
    name: 'localhost/x:1',
    idFile: '/srv/r/image-id',
    cgroup: '/flightline/i/k',
    buildArgs: { VERSION: '1 2' },
    labels: { kept: 'v', gone: null },
    secrets: [{ id: 'token', file: '/etc/flightline/token' }],
    volumes: ['/etc/pki/entitlement:/etc/pki/entitlement:ro'],
    platform: null,
    flags: ['--ignorefile=/srv/r/context/ignore-nothing'],
  };
  const args = buildArguments(command);

  it('names a platform only where it is not the host’s own', () => {
    expect(args.join(' ')).not.toContain('--platform');
    expect(buildArguments({ ...command, platform: 'linux/arm64' })).toContain('--platform=linux/arm64');
  });

  it("builds the author's Containerfile under its own name, and pulls nothing", () => {
    expect(args).toContain('--pull=never');
    expect(args).toContain('--file=/srv/r/context/containerfile/Edge.in');
  });

  it('sets and takes away labels, never both', () => {
    expect(args).toContain('--label=kept=v');
    expect(args).toContain('--unsetlabel=gone');
    expect(args.filter((argument) => argument.includes('gone'))).toHaveLength(1);
  });

  it('gives secrets by their files, and what else it is told', () => {
    expect(args).toContain('--secret=id=token,src=/etc/flightline/token');
    expect(args).toContain('--volume=/etc/pki/entitlement:/etc/pki/entitlement:ro');
    expect(args).toContain('--ignorefile=/srv/r/context/ignore-nothing');
  });

  it('keeps a value with spaces in one argument, and the context last', () => {
    expect(args).toContain('--build-arg=VERSION=1 2');
    expect(args.at(-1)).toBe('/srv/r/context/context');
  });
});

describe('the labels of an image', () => {
  const facts = { tag: '1.0', imageInputs: DIGEST, commit: null, source: 'https://example.org', base: null };

  it('takes away what would be inherited and untrue', () => {
    expect(labelsToSet(releaseLabels(facts), () => false)).toMatchObject({
      'io.flightline.inputs': DIGEST,
      'org.opencontainers.image.version': '1.0',
      'org.opencontainers.image.source': 'https://example.org',
      'org.opencontainers.image.revision': null,
      'org.opencontainers.image.created': null,
      'org.opencontainers.image.base.name': null,
    });
  });

  it('leaves what the Containerfile sets itself, where nothing better is known', () => {
    const labels = labelsToSet(releaseLabels(facts), () => true);
    expect(labels).not.toHaveProperty(['org.opencontainers.image.revision']);
    expect(labels).toHaveProperty(['org.opencontainers.image.version'], '1.0');
  });
});

describe('names of images', () => {
  it('are names that podman accepts, below those of the release', () => {
    const name = builtImageName(INSTALLATION, RELEASE, DIGEST);
    expect(name.startsWith(`${releaseImages(INSTALLATION, RELEASE)}:`)).toBe(true);
    // Only the registry `localhost` is refused by the contract; the grammar is the same.
    expect(parseReference(name.replace('localhost/', 'registry.local/'))).toMatchObject({ ok: true });
  });
});

describe('the cgroup of a build', () => {
  it('is a path for cgroupfs and a slice for systemd', () => {
    expect(buildCgroup('cgroupfs', INSTALLATION, RELEASE)).toMatch(
      new RegExp(`^/flightline/${INSTALLATION}/[0-9a-f]{16}$`),
    );
    expect(buildCgroup('systemd', INSTALLATION, RELEASE)).toMatch(/^flightline-[0-9a-f]{32}-[0-9a-f]{16}\.slice$/);
  });

  it.each([
    ['/flightline/i/k', 'flightline/i/k'],
    ['flightline.slice', 'flightline.slice'],
    ['flightline-a-b.slice', 'flightline.slice/flightline-a.slice/flightline-a-b.slice'],
  ])('%s lies at %s', (cgroup, path) => {
    expect(cgroupPath(cgroup)).toBe(path);
  });

  let mount: string;
  beforeAll(async () => {
    mount = await mkdtemp(join(tmpdir(), 'cgroup-'));
    const put = async (path: string, pids: string) => {
      await mkdir(join(mount, path), { recursive: true });
      await writeFile(join(mount, path, 'cgroup.procs'), pids);
    };
    await put('memory/flightline/i/k', '11\n');
    await put('unified/flightline/i/k', '');
    await put('unified/flightline/i/k/below', '11\n12\n');
    await put('memory/flightline/i/other', '99\n');
    await put('flightline.slice/flightline-a.slice/x.scope', '21\n0\n');
    await put('flightline.slice/flightline-a.slice', '');
  });
  afterAll(() => rm(mount, { recursive: true }));

  it('is read in every hierarchy, with what is below it', async () => {
    expect(new Set(await cgroupProcesses('/flightline/i/k', mount))).toEqual(new Set([11, 12]));
    expect(await cgroupProcesses('flightline-a.slice', mount)).toEqual([21]);
    expect(await cgroupProcesses('/flightline/i/none', mount)).toEqual([]);
  });
});
