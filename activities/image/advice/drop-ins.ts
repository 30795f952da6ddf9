/** Two tables of better places for an operating system's configuration. Pure. */

/**
 * Files with a drop-in directory, by their own manuals (sudoers(5), sysctl.d(5), sshd_config(5), …). The file on the
 * left belongs to the distribution; changes go into a file on the right.
 */
export const DROP_INS: Readonly<Record<string, string>> = {
  '/etc/NetworkManager/NetworkManager.conf': '/usr/lib/NetworkManager/conf.d',
  '/etc/audit/audit.rules': '/etc/audit/rules.d',
  '/etc/bashrc': '/etc/profile.d',
  '/etc/cloud/cloud.cfg': '/etc/cloud/cloud.cfg.d',
  '/etc/containers/containers.conf': '/etc/containers/containers.conf.d',
  '/etc/containers/registries.conf': '/etc/containers/registries.conf.d',
  '/etc/crio/crio.conf': '/etc/crio/crio.conf.d',
  '/etc/crontab': '/etc/cron.d',
  // bootc makes the boot entries. It reads neither GRUB's defaults nor the kernel's command line file.
  '/etc/default/grub': '/usr/lib/bootc/kargs.d',
  '/etc/kernel/cmdline': '/usr/lib/bootc/kargs.d',
  '/etc/dnsmasq.conf': '/etc/dnsmasq.d',
  '/etc/dracut.conf': '/usr/lib/dracut/dracut.conf.d',
  '/etc/exports': '/etc/exports.d',
  '/etc/httpd/conf/httpd.conf': '/etc/httpd/conf.d',
  '/etc/issue': '/usr/lib/issue.d',
  '/etc/krb5.conf': '/etc/krb5.conf.d',
  '/etc/ld.so.conf': '/etc/ld.so.conf.d',
  '/etc/logrotate.conf': '/etc/logrotate.d',
  '/etc/modprobe.conf': '/usr/lib/modprobe.d',
  '/etc/modules': '/usr/lib/modules-load.d',
  '/etc/motd': '/usr/lib/motd.d',
  '/etc/multipath.conf': '/etc/multipath/conf.d',
  '/etc/my.cnf': '/etc/my.cnf.d',
  '/etc/nfs.conf': '/etc/nfs.conf.d',
  '/etc/nginx/nginx.conf': '/etc/nginx/conf.d',
  '/etc/profile': '/etc/profile.d',
  '/etc/rsyslog.conf': '/etc/rsyslog.d',
  '/etc/security/limits.conf': '/etc/security/limits.d',
  '/etc/ssh/ssh_config': '/etc/ssh/ssh_config.d',
  '/etc/ssh/sshd_config': '/etc/ssh/sshd_config.d',
  '/etc/sssd/sssd.conf': '/etc/sssd/conf.d',
  '/etc/sudoers': '/etc/sudoers.d',
  '/etc/sysctl.conf': '/usr/lib/sysctl.d',
  '/etc/systemd/coredump.conf': '/usr/lib/systemd/coredump.conf.d',
  '/etc/systemd/journald.conf': '/usr/lib/systemd/journald.conf.d',
  '/etc/systemd/logind.conf': '/usr/lib/systemd/logind.conf.d',
  '/etc/systemd/networkd.conf': '/usr/lib/systemd/networkd.conf.d',
  '/etc/systemd/oomd.conf': '/usr/lib/systemd/oomd.conf.d',
  '/etc/systemd/resolved.conf': '/usr/lib/systemd/resolved.conf.d',
  '/etc/systemd/sleep.conf': '/usr/lib/systemd/sleep.conf.d',
  '/etc/systemd/system.conf': '/usr/lib/systemd/system.conf.d',
  '/etc/systemd/timesyncd.conf': '/usr/lib/systemd/timesyncd.conf.d',
  '/etc/systemd/user.conf': '/usr/lib/systemd/user.conf.d',
};

/** Directories of `/etc` with a counterpart below `/usr` that the same program reads, by its own manual. */
const COUNTERPARTS: Readonly<Record<string, string>> = {
  '/etc/NetworkManager/conf.d': '/usr/lib/NetworkManager/conf.d',
  '/etc/NetworkManager/system-connections': '/usr/lib/NetworkManager/system-connections',
  '/etc/X11/xorg.conf.d': '/usr/share/X11/xorg.conf.d',
  '/etc/binfmt.d': '/usr/lib/binfmt.d',
  '/etc/containers/systemd': '/usr/share/containers/systemd',
  '/etc/dbus-1/system.d': '/usr/share/dbus-1/system.d',
  '/etc/dracut.conf.d': '/usr/lib/dracut/dracut.conf.d',
  '/etc/environment.d': '/usr/lib/environment.d',
  '/etc/firewalld/services': '/usr/lib/firewalld/services',
  '/etc/firewalld/zones': '/usr/lib/firewalld/zones',
  '/etc/issue.d': '/usr/lib/issue.d',
  '/etc/modprobe.d': '/usr/lib/modprobe.d',
  '/etc/modules-load.d': '/usr/lib/modules-load.d',
  '/etc/motd.d': '/usr/lib/motd.d',
  '/etc/pki/ca-trust/source/anchors': '/usr/share/pki/ca-trust-source/anchors',
  '/etc/polkit-1/rules.d': '/usr/share/polkit-1/rules.d',
  '/etc/sysctl.d': '/usr/lib/sysctl.d',
  '/etc/systemd': '/usr/lib/systemd',
  '/etc/sysusers.d': '/usr/lib/sysusers.d',
  '/etc/tmpfiles.d': '/usr/lib/tmpfiles.d',
  '/etc/udev/hwdb.d': '/usr/lib/udev/hwdb.d',
  '/etc/udev/rules.d': '/usr/lib/udev/rules.d',
};

/** The path below `/usr` that can replace a path of `/etc`; undefined when none is known. */
export function underUsr(path: string): string | undefined {
  const found = Object.entries(COUNTERPARTS).find(([directory]) => path.startsWith(`${directory}/`));
  return found && found[1] + path.slice(found[0].length);
}
