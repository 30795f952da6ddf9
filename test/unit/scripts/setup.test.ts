import { afterEach, describe, expect, it, test, vi } from 'vitest';
import { parseDeb822, parseOneLine, trixieFiles } from '../../../scripts/setup/apt-sources.ts';
import { familyOf, parseOsRelease } from '../../../scripts/setup/os-release.ts';
import { candidatesIn, makePlan, SetupError, tooOld } from '../../../scripts/setup/plan.ts';
import type { Missing } from '../../../scripts/setup/plan.ts';
import { whoAnswers } from '../../../scripts/setup/set-up.ts';
import { HOST_TOOLS, toolsFor } from '../../../scripts/setup/tools.ts';
import { compareVersions, upstreamVersion, versionIn } from '../../../scripts/setup/version.ts';

const DEBIAN_12 = { id: 'debian', like: [], version: '12', name: 'Debian GNU/Linux 12 (bookworm)' };
const DEBIAN_13 = { ...DEBIAN_12, version: '13', name: 'Debian GNU/Linux 13 (trixie)' };
const FEDORA = { id: 'fedora', like: [], version: '42', name: 'Fedora Linux 42' };
const STREAM = { id: 'centos', like: ['rhel', 'fedora'], version: '9', name: 'CentOS Stream 9' };

const BOOKWORM_SOURCES = `Types: deb deb-src
# a comment
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://security.example/debian-security
Suites: bookworm-security
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 -----END PGP PUBLIC KEY BLOCK-----

Types: deb
Enabled: no
URIs: http://disabled.example/debian
Suites: bookworm
Components: main

Types: deb-src
URIs: http://source.example/debian
Suites: bookworm
Components: main
`;

function missing(...names: string[]): Missing[] {
  return names.map((name) => {
    const tool = HOST_TOOLS.find((candidate) => candidate.name === name);
    if (!tool) throw new Error(`no tool ${name}`);
    return { tool };
  });
}

describe('os-release', () => {
  test('quoted and bare values', () => {
    const os = parseOsRelease(
      'PRETTY_NAME="CentOS Stream 9"\nID=centos\nID_LIKE="rhel fedora"\nVERSION_ID=\'9\'\n# x\nnonsense',
    );
    expect(os).toEqual(STREAM);
  });

  test.each([
    ['debian', [], 'debian'],
    ['ubuntu', ['debian'], 'debian'],
    ['linuxmint', ['ubuntu', 'debian'], 'debian'],
    ['fedora', [], 'fedora'],
    ['rhel', ['fedora'], 'enterprise'],
    ['centos', ['rhel', 'fedora'], 'enterprise'],
    ['rocky', ['rhel', 'centos', 'fedora'], 'enterprise'],
    ['arch', [], undefined],
  ] as const)('%s is of the family %s', (id, like, family) => {
    expect(familyOf({ id, like: [...like], version: '', name: id })).toBe(family);
  });
});

describe('apt sources', () => {
  test('deb822: binary, enabled sources only, with their options verbatim', () => {
    const sources = parseDeb822(BOOKWORM_SOURCES);
    expect(sources.map((source) => source.uris)).toEqual([
      ['http://mirror.example/debian'],
      ['http://security.example/debian-security'],
    ]);
    expect(sources[0]?.suites).toEqual(['bookworm', 'bookworm-updates']);
    expect(sources[0]?.options).toEqual({ 'Signed-By': '/usr/share/keyrings/debian-archive-keyring.gpg' });
    expect(sources[1]?.options['Signed-By']).toContain('BEGIN PGP');
  });

  test('one-line entries', () => {
    const sources = parseOneLine(
      '# deb http://old.example/debian bookworm main\n' +
        'deb [arch=amd64,arm64 signed-by=/k.gpg] http://mirror.example/debian bookworm main contrib # here\n' +
        'deb-src http://mirror.example/debian bookworm main\n',
    );
    expect(sources).toEqual([
      {
        uris: ['http://mirror.example/debian'],
        suites: ['bookworm'],
        components: ['main', 'contrib'],
        options: { Architectures: 'amd64 arm64', 'Signed-By': '/k.gpg' },
      },
    ]);
  });

  test('trixie comes from the machine’s own mirrors, trusted in the same way, pinned low', () => {
    const files = trixieFiles(parseDeb822(BOOKWORM_SOURCES));
    expect(files?.mirrors).toEqual(['http://mirror.example/debian', 'http://security.example/debian-security']);
    expect(files?.preferences).toMatch(/Pin: release n=\/\^trixie\/\nPin-Priority: 100\n/);
    const written = parseDeb822(files?.sources ?? '');
    expect(written.map(({ suites }) => suites)).toEqual([['trixie'], ['trixie-security']]);
    expect(written.map(({ uris }) => uris)).toEqual(parseDeb822(BOOKWORM_SOURCES).map(({ uris }) => uris));
    expect(written.map(({ options }) => options)).toEqual(parseDeb822(BOOKWORM_SOURCES).map(({ options }) => options));
    expect(written.every(({ components }) => components.join() === 'main')).toBe(true);
  });

  test('no mirror is guessed', () => {
    expect(trixieFiles(parseOneLine('deb http://mirror.example/ubuntu noble main'))).toBeUndefined();
  });
});

describe('versions', () => {
  test.each([
    ['podman version 5.4.2', '5.4.2'],
    ['skopeo version 1.18.0', '1.18.0'],
    ['no number', undefined],
  ])('%s', (output, version) => {
    expect(versionIn(output)).toBe(version);
  });

  test.each([
    ['5.4.2+ds1-2+b2', '5.4.2'],
    ['1:2.47.3-0+deb13u1', '2.47.3'],
    ['4.9.3+ds1-1ubuntu0.2', '4.9.3'],
  ])('package version %s', (version, upstream) => {
    expect(upstreamVersion(version)).toBe(upstream);
  });

  test.each([
    ['4.9.3', '5.0', -1],
    ['5.0.0', '5.0', 0],
    ['5.10', '5.9.9', 1],
    ['1.9.3', '1.14', -1],
  ])('%s against %s', (left, right, sign) => {
    expect(Math.sign(compareVersions(left, right))).toBe(sign);
  });
});

describe('tools', () => {
  test('each purpose needs the tools of those before it', () => {
    const machine = { architecture: 'x64', cgroupV2: true };
    const names = (purpose: 'run' | 'demo' | 'test') => toolsFor(purpose, machine).map(({ name }) => name);
    expect(names('run')).toContain('podman');
    expect(names('run')).not.toContain('docker-registry');
    expect(names('demo')).toEqual(expect.arrayContaining([...names('run'), 'docker-registry', 'mmdebstrap']));
    expect(names('demo')).not.toContain('QEMU');
    expect(names('test')).toEqual(expect.arrayContaining([...names('demo'), 'QEMU', 'EFI firmware', 'xorriso']));
  });

  test('crun refuses control groups version 1', () => {
    const names = (cgroupV2: boolean) => toolsFor('run', { architecture: 'x64', cgroupV2 }).map(({ name }) => name);
    expect(names(true)).toContain('OCI runtime');
    expect(names(true)).not.toContain('runc');
    expect(names(false)).toContain('runc');
  });

  test('every tool is looked for in one way and can be got in some way', () => {
    for (const tool of HOST_TOOLS) {
      expect([tool.programs, tool.files].filter(Boolean), tool.name).toHaveLength(1);
      for (const packages of Object.values(tool.packages)) {
        expect(packages.length > 0 || tool.otherwise !== undefined, tool.name).toBe(true);
      }
    }
  });
});

describe('plan', () => {
  const bookworm = parseDeb822(BOOKWORM_SOURCES);

  test('Debian 12: from trixie, whose source is added', () => {
    const plan = makePlan(DEBIAN_12, missing('podman', 'skopeo', 'docker-registry'), bookworm);
    expect(plan).toMatchObject({
      manager: 'apt',
      packages: ['podman', 'containers-storage', 'skopeo', 'docker-registry'],
      trixie: { files: { mirrors: ['http://mirror.example/debian', 'http://security.example/debian-security'] } },
      build: [],
      elsewhere: [],
    });
  });

  test('Debian 12 that was set up before: the source is there', () => {
    const sources = [...bookworm, ...parseDeb822(trixieFiles(bookworm)?.sources ?? '')];
    expect(makePlan(DEBIAN_12, missing('xorriso'), sources).trixie).toEqual({});
    // base-files came from trixie, and apt still prefers bookworm.
    expect(makePlan(DEBIAN_13, missing('xorriso'), sources).trixie).toEqual({});
  });

  test('Debian 12 without a known mirror is an error that says what to do', () => {
    expect(() => makePlan(DEBIAN_12, missing('podman'), [])).toThrow(/no apt source names bookworm/);
  });

  test('Debian 13: its own packages', () => {
    const plan = makePlan(DEBIAN_13, missing('podman'), parseOneLine('deb http://mirror.example/debian trixie main'));
    expect(plan.trixie).toBeUndefined();
    expect(plan.packages).toEqual(['podman', 'containers-storage']);
  });

  test('Fedora: dnf; the registry is built', () => {
    const plan = makePlan(FEDORA, missing('podman', 'git', 'docker-registry', 'mmdebstrap'), []);
    expect(plan.manager).toBe('dnf');
    expect(plan.packages).toEqual(['podman', 'git-core', 'mmdebstrap']);
    expect(plan.build.map(({ path }) => path)).toEqual(['/usr/local/bin/docker-registry']);
  });

  test('CentOS Stream: what no repository holds is named, not failed', () => {
    const plan = makePlan(STREAM, missing('podman', 'mmdebstrap'), []);
    expect(plan.packages).toEqual(['podman']);
    expect(plan.elsewhere.map(({ tool }) => tool.name)).toEqual(['mmdebstrap']);
  });

  test('an unknown distribution gets the list', () => {
    const arch = { id: 'arch', like: [], version: '', name: 'Arch Linux' };
    expect(() => makePlan(arch, missing('podman'), [])).toThrow(SetupError);
    expect(() => makePlan(arch, missing('podman'), [])).toThrow(/Arch Linux[\s\S]*podman 5\.0 or later/);
  });

  test('packages that are too old stop the installation before it changes anything', () => {
    const policy =
      'podman:\n  Installed: (none)\n  Candidate: 4.9.3+ds1-1ubuntu0.2\n  Version table:\n' +
      'skopeo:\n  Installed: (none)\n  Candidate: 1.18.0+ds1-1+b5\n' +
      'xorriso:\n  Installed: (none)\n  Candidate: (none)\n';
    expect(tooOld(missing('podman', 'skopeo', 'xorriso'), candidatesIn(policy))).toEqual([
      'podman is 4.9.3, and 5.0 or later is needed',
      'xorriso is not in the package lists',
    ]);
  });
});

test.each([
  [true, undefined, false, 'said yes'],
  [false, 'true', false, 'said yes'],
  [false, 'false', false, 'nobody'],
  [false, undefined, true, 'person'],
  [false, undefined, false, 'nobody'],
] as const)('with --yes %s, CI %s and a terminal %s a change is agreed to by: %s', (yes, ci, terminal, answerer) => {
  expect(whoAnswers(yes, ci, terminal)).toBe(answerer);
});

describe('where nobody can be asked', () => {
  const install = vi.fn<() => Promise<void>>();
  afterEach(() => {
    vi.restoreAllMocks();
    vi.unstubAllEnvs();
    vi.doUnmock('../../../scripts/setup/detect.ts');
    vi.doUnmock('../../../scripts/setup/install.ts');
    vi.resetModules();
  });

  it('a Debian 12 is told what would be done, and is not changed', async () => {
    vi.doMock('../../../scripts/setup/detect.ts', async (original) => ({
      ...(await original<object>()),
      findMissing: () => Promise.resolve(missing('podman')),
      readOsRelease: () => Promise.resolve(DEBIAN_12),
      readAptSources: () => Promise.resolve(parseDeb822(BOOKWORM_SOURCES)),
    }));
    vi.doMock('../../../scripts/setup/install.ts', async (original) => ({ ...(await original<object>()), install }));
    vi.resetModules();
    const { setUp } = await import('../../../scripts/setup/set-up.ts');
    vi.stubEnv('CI', undefined);
    vi.spyOn(process, 'getuid').mockReturnValue(0);
    let said = '';
    vi.spyOn(process.stderr, 'write').mockImplementation((text) => Boolean((said += String(text))));
    await expect(setUp({ purpose: 'run', assumeYes: false })).rejects.toThrow(
      /^Nothing was changed: there is no terminal to ask at\. Give --yes /,
    );
    expect(said).toMatch(/^Needed and not on this machine \(Debian GNU\/Linux 12 \(bookworm\)\):\n.*podman/);
    expect(said).toMatch(/What will be done:\n {2}- write [^]*upgrade the C library \(libc6\)/);
    expect(install).not.toHaveBeenCalled();
  });
});
