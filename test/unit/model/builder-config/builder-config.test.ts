import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  builderText,
  checkBuilderConfig,
  type BuilderConfigUse,
} from '../../../../model/builder-config/builder-config.ts';
import { formatProblems } from '../../../../model/spec/spec-file.ts';

const EXAMPLES = join(import.meta.dirname, '../../../../examples');
const DISKS: BuilderConfigUse = { types: ['qcow2', 'vmdk'], rootfs: 'ext4' };
const ISO: BuilderConfigUse = { types: ['iso'], rootfs: null };

const check = (text: string, use = DISKS, format: 'toml' | 'json' = 'toml') => {
  const { problems, warnings } = checkBuilderConfig(text, format, use);
  return { problems: formatProblems('config', problems), warnings: formatProblems('config', warnings) };
};

const USER = '[[customizations.user]]\nname = "alice"\n';
const FILESYSTEM = '[[customizations.filesystem]]\nmountpoint = "/"\nminsize = "20 GiB"\n';
const KICKSTART =
  '[customizations.installer.kickstart]\ncontents = """\ntext --non-interactive\n[not] = a table\n"""\n';

describe('a builder configuration', () => {
  it.each<[string, string, BuilderConfigUse]>([
    ['nothing', '', DISKS],
    ['users', `${USER}password = "$6$x$y"\nkey = "ssh-ed25519 A"\ngroups = ["wheel"]\nuid = 1001\n`, DISKS],
    ['kernel arguments', '[customizations.kernel]\nappend = "console=ttyS0"\n', ISO],
    ['file systems', `${FILESYSTEM}[[customizations.filesystem]]\nmountpoint = "/var/data"\nminsize = 1024\n`, DISKS],
    ['the old name of minsize', '[[customizations.filesystem]]\nmountpoint = "/boot"\nsize = "2 GiB"\n', DISKS],
    ['partitions', '[[customizations.disk.partitions]]\nminsize = "1 GiB"\nmountpoint = "/data"\n', DISKS],
    ['a kickstart', KICKSTART, ISO],
    ['names of an iso', '[customizations.iso]\nvolume_id = "Edge_1"\n', ISO],
    ['users of an iso', USER, ISO],
    ['anything, when no disk is made', FILESYSTEM, { types: [], rootfs: null }],
  ])('may hold %s', (_, text, use) => {
    expect(check(text, use)).toEqual({ problems: '', warnings: '' });
  });

  it.each<[string, string, BuilderConfigUse, string]>([
    [
      'an unknown table',
      `${USER}\n[customizations.kernal]\nappend = "x"\n`,
      DISKS,
      'config:4:1: customizations.kernal: unknown key "kernal"; did you mean "kernel"?',
    ],
    [
      'an unknown key of the second user',
      `${USER}\n[[customizations.user]]\nname = "bob"\npasswd = "hush"\n`,
      DISKS,
      'config:6:1: customizations.user[1].passwd: unknown key "passwd"; did you mean "password"?',
    ],
    [
      'an unknown key of an inline table',
      'customizations.kernel = { apend = "x" }\n',
      DISKS,
      'config:1:1: customizations.kernel.apend: unknown key "apend"; did you mean "append"?',
    ],
    [
      'a customization at the top',
      '[kernel]\nappend = "x"\n',
      DISKS,
      'config:1:1: kernel: unknown key "kernel"; known here: ',
    ],
    ['a wrong type', `${USER}groups = "wheel"\n`, DISKS, 'config:3:1: customizations.user[0].groups: Invalid input: '],
    [
      'a user without a name',
      '[[customizations.user]]\nkey = "k"\n',
      DISKS,
      'config:1:1: customizations.user[0].name is missing',
    ],
    [
      'a size without a known unit',
      FILESYSTEM.replace('GiB', 'gigs'),
      DISKS,
      'config:3:1: customizations.filesystem[0].minsize: is not a size: write it as "20 GiB", or as bytes',
    ],
    [
      'a file system without a size',
      '[[customizations.filesystem]]\nmountpoint = "/"\n',
      DISKS,
      'config:1:1: customizations.filesystem[0].minsize: needs a minsize',
    ],
    [
      '/var as a file system',
      FILESYSTEM.replace('"/"', '"/var"'),
      DISKS,
      'config:2:1: customizations.filesystem[0].mountpoint: only /, /boot and directories below /var',
    ],
    [
      'a file system below /var on btrfs',
      FILESYSTEM.replace('"/"', '"/var/data"'),
      { ...DISKS, rootfs: 'btrfs' },
      'config:2:1: customizations.filesystem[0].mountpoint: with rootfs btrfs only / and /boot',
    ],
    [
      'a mountpoint twice',
      FILESYSTEM + FILESYSTEM,
      DISKS,
      'config:5:1: customizations.filesystem[1].mountpoint: / is listed twice',
    ],
    ['a user twice', USER + USER, DISKS, 'config:4:1: customizations.user[1].name: the user alice is listed twice'],
    [
      'users with a kickstart',
      KICKSTART + USER,
      ISO,
      'config:6:1: customizations.user: cannot be used together with installer.kickstart',
    ],
    [
      'groups with a kickstart',
      `${KICKSTART}[[customizations.group]]\nname = "ops"\n`,
      ISO,
      'config:6:1: customizations.group: cannot be used together with installer.kickstart',
    ],
    [
      'file systems with disks',
      `${FILESYSTEM}[customizations.disk]\ntype = "gpt"\n`,
      DISKS,
      'config:4:1: customizations.disk: cannot be used together with filesystem',
    ],
    ['an iso with file systems', FILESYSTEM, ISO, 'config:1:1: customizations.filesystem: has no effect on iso'],
    [
      'a wrong volume id',
      '[customizations.iso]\nvolume_id = "My ISO"\n',
      ISO,
      'config:2:1: customizations.iso.volume_id: may have letters',
    ],
    ['a table that does not end', '[customizations.user\nname = "x"\n', DISKS, 'config:1:'],
  ])('may not hold %s', (_, text, use, problem) => {
    const { problems } = check(text, use);
    expect(problems).toMatch(problem === '' ? /./ : new RegExp(`^${problem.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}`));
    expect(problems.split('\n')).toHaveLength(1);
  });

  it('is JSON too', () => {
    const text = '{\n\t"customizations": {\n\t\t"user": [\n\t\t\t{"name": "alice", "passwrd": "hush"}\n\t\t]\n\t}\n}\n';
    expect(check(text, DISKS, 'json').problems).toBe(
      'config:4:22: customizations.user[0].passwrd: unknown key "passwrd"; did you mean "password"?',
    );
    expect(check('{"customizations": {"user": []}}', DISKS, 'json').problems).toBe('');
    expect(check('{"customizations": ', DISKS, 'json').problems).toBe('config:1:1: this is no JSON');
    expect(check('customizations: {}', DISKS, 'json').problems).toBe('config:1:1: this is no JSON');
  });

  it.each<[string, string, BuilderConfigUse, string]>([
    [
      'file systems for disks and an iso',
      FILESYSTEM,
      { types: ['qcow2', 'iso'], rootfs: null },
      'config:1:1: customizations.filesystem: has no effect on iso: no file system is made when it is built',
    ],
    ['a kickstart for disks', KICKSTART, DISKS, 'config:1:1: customizations.installer: has no effect on qcow2, vmdk'],
    [
      'a host name',
      '[customizations]\nhostname = "edge"\n',
      DISKS,
      'config:2:1: customizations.hostname: has no effect on qcow2, vmdk',
    ],
    [
      'files of a network boot’s tree',
      `${USER}[customizations.sshd]\npermit_root_login = "no"\n`,
      { types: ['pxe-tar-xz'], rootfs: null },
      'config:3:1: customizations.sshd: has no effect on pxe-tar-xz',
    ],
    [
      'what no disk is made with',
      'packages = [{ name = "tmux" }]\n[[groups]]\nname = "core"\n[[containers]]\nsource = "registry.example/app:1"\n',
      DISKS,
      [
        'config:1:1: packages: has no effect: packages are installed in the Containerfile',
        'config:2:1: groups: has no effect: packages are installed in the Containerfile',
        'config:4:1: containers: has no effect: containers are put into the image',
      ].join('\n'),
    ],
  ])('warns of %s', (_, text, use, warning) => {
    expect(check(text, use)).toEqual({ problems: '', warnings: warning });
  });

  it('in the form of before 2024 is read as the builder reads it', () => {
    const wrapped = (inside: string, beside = '') => check(`{"blueprint": ${inside}${beside}}`, DISKS, 'json');
    expect(wrapped('{"customizations": {"user": [{"name": "a"}]}}')).toEqual({ problems: '', warnings: '' });
    expect(wrapped('{"customizations": {"user": [{"name": 1}]}}').problems).toMatch(
      /^config:1:\d+: blueprint\.customizations\.user\[0\]\.name: /,
    );
    expect(wrapped('{}', ',\n"customizations": {}').warnings).toBe(
      'config:2:1: customizations: has no effect: the builder reads "blueprint" alone',
    );
    expect(check('[blueprint.customizations]\nhostname = "a"\n', DISKS).problems).toContain('unknown key "blueprint"');
  });

  it('in the form of before 2024 is given to the builder without the wrapper, and anything else as it is', () => {
    expect(builderText('{"blueprint": {"customizations": {}}, "x": 1}', 'json')).toBe('{"customizations":{}}');
    for (const text of ['{"customizations": {}}', '{"blueprint": null}', 'no JSON', '[]'])
      expect(builderText(text, 'json')).toBe(text);
    expect(builderText('blueprint = 1', 'toml')).toBe('blueprint = 1');
  });

  it('is never quoted where a password may stand', () => {
    for (const format of ['toml', 'json'] as const) {
      for (const text of [
        '[[customizations.user]]\nname = "a"\npassword = "hush-hush" "more"\n',
        '{"customizations": {"user": [{"name": "a", "password": "hush-hush" "more"}]}}',
        '{"customizations": {"user": [{"name": "a", "password": ["hush-hush"]}]}}',
        '[[customizations.user]]\nname = "a"\npassword = ["hush-hush"]\n',
      ]) {
        const { problems } = check(text, DISKS, format);
        expect(problems).not.toBe('');
        expect(problems).not.toContain('hush');
      }
    }
  });
});

describe('the examples', () => {
  it.each<[string, BuilderConfigUse, string]>([
    [
      'debian/config.toml',
      { types: ['qcow2', 'vmdk', 'iso'], rootfs: 'ext4' },
      'customizations.filesystem: has no effect on iso',
    ],
    ['centos-stream9/config.toml', { types: ['qcow2', 'vmdk'], rootfs: 'xfs' }, ''],
  ])('%s is in order', (name, use, warned) => {
    const { problems, warnings } = check(readFileSync(join(EXAMPLES, name), 'utf8'), use);
    expect(problems).toBe('');
    expect(warnings).toContain(warned);
    expect(warnings.split('\n')).toHaveLength(1);
  });
});
