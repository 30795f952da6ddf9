import { expect, it } from 'vitest';
import { imageAdvice } from '../../../../../activities/image/advice/image-advice.ts';

it.each<[string, string[], string[], string[]]>([
  ['nothing', ['/usr/bin/app', '/usr/lib/sysctl.d/90.conf', '/etc/sudoers.d/app'], ['/usr', '/etc'], []],
  [
    'a secret, also in a directory that was copied whole',
    ['/usr/share/app', '/usr/share/app/.env', '/opt/device.key'],
    ['/usr/share'],
    ['/usr/share/app/.env, /opt/device.key looks like a secret; everybody who can pull the image can read it'],
  ],
  ['public keys, and what packages bring', ['/usr/share/k/release.pub', '/usr/lib/python3/test/a.key'], [], []],
  [
    'content of /var, by its outermost directory',
    ['/var/lib/app', '/var/lib/app/a', '/var/lib/app/b/c'],
    ['/var', '/var/lib'],
    ['/var/lib/app is below /var; put it below /usr, or let systemd-tmpfiles make it (/usr/lib/tmpfiles.d)'],
  ],
  [
    'what is temporary, and what package managers leave',
    ['/var/tmp/a', '/var/log/dnf.log', '/var/cache/dnf/a'],
    [],
    [],
  ],
  [
    'files with a drop-in directory, edited or new',
    ['/etc/motd'],
    ['/etc', '/etc/sudoers'],
    [
      '/etc/motd (/usr/lib/motd.d), /etc/sudoers (/etc/sudoers.d) is changed as a whole; put ' +
        'what differs into a drop-in file',
    ],
  ],
  [
    'files that are read below /usr too, the first three by name',
    ['a', 'b', 'c', 'd', 'e'].map((name) => `/etc/sysctl.d/${name}.conf`),
    ['/etc/sysctl.d'],
    [
      '/etc/sysctl.d/a.conf (/usr/lib/sysctl.d/a.conf), /etc/sysctl.d/b.conf (/usr/lib/sysctl.d/b.conf), ' +
        '/etc/sysctl.d/c.conf (/usr/lib/sysctl.d/c.conf) and 2 more is read below /usr too; put it there',
    ],
  ],
  ['links of systemctl', ['/etc/systemd/system/a.timer', '/etc/systemd/system/x.wants/b.service'], [], []],
])('advises on %s', (_, added, changed, expected) => expect(imageAdvice({ added, changed })).toEqual(expected));
