/**
 * An image of this machine's shell and tools, as which every gate of a test runs: its argument is a script. A release
 * can be built on it as well.
 */
import { execa } from 'execa';
import { buildSmallImage } from './small-image.ts';

const PROGRAMS = [
  'bash',
  'cat',
  'cp',
  'env',
  'find',
  'grep',
  'ln',
  'ls',
  'mknod',
  'mount',
  'sed',
  'sort',
  'stat',
  'touch',
  'true',
  'chmod',
];

/**
 * Makes and pushes it to where the embedded stack allows gates.
 *
 * @param files by their paths in the image
 * @returns its reference
 */
export async function publishGateImage(registry: string, files: Record<string, string> = {}): Promise<string> {
  const reference = `${registry}/flightline/gates/tools:1`;
  const programs = PROGRAMS.map((name) => `/usr/bin/${name}`);
  const entrypoint = ['/usr/bin/bash', '-c'];
  await buildSmallImage(reference, { programs: ['/bin/sh', ...programs], files, entrypoint, bootable: true });
  await execa('podman', ['push', '--quiet', '--tls-verify=false', reference]);
  await execa('podman', ['rmi', reference]);
  return reference;
}

/**
 * A script that tries to reach what a gate must not, and fails when it does.
 *
 * @param ports of this machine on which somebody listens
 * @param paths of the host
 */
export function hostileScript({ ports, paths }: { ports: readonly string[]; paths: readonly string[] }): string {
  return `
bad=0
reached() { echo "REACHED: $*"; bad=1; }
for port in ${ports.join(' ')}; do (: <>/dev/tcp/127.0.0.1/$port) 2>/dev/null && reached "port $port"; done
[ "$(ls /sys/class/net)" = lo ] || reached "$(ls /sys/class/net)"
for path in ${paths.join(' ')} /var/lib/containers /run/containers /run/secrets /run/podman; do
  ls -d "$path" 2>/dev/null && reached "$path"
done
cat /flightline/root/usr/share/link 2>/dev/null && reached 'through a link of the image'
for path in / /etc /usr /flightline /flightline/root /flightline/root/tmp /flightline/image /sys/kernel; do
  touch "$path/mine" 2>/dev/null && reached "wrote $path"
done
chmod 777 /flightline/image/index.json 2>/dev/null && reached 'changed the layout'
# Looked at, not written: a test runs this where it would succeed.
for path in /proc/sys/kernel/panic /proc/sysrq-trigger; do [ -w $path ] && reached $path; done
mount -t tmpfs none /tmp 2>/dev/null && reached mount
mknod /tmp/disk b 8 0 2>/dev/null && reached 'a disk'
[ -z "$(find /dev -type b)" ] || reached "$(find /dev -type b)"
[ "$(ls -d /proc/[0-9]* | grep -c .)" -lt 6 ] || reached 'processes of the host'
for set in Eff Bnd; do grep -q "Cap$set:.0000000000000000" /proc/self/status || reached capabilities; done
grep -q 'NoNewPrivs:.1' /proc/self/status || reached 'new privileges'
for name in $(env | sed -n 's/=.*//p'); do
  case $name in PATH|HOME|HOSTNAME|PWD|OLDPWD|SHLVL|_|TERM|container) ;;
  FLIGHTLINE_GATE|FLIGHTLINE_RELEASE|FLIGHTLINE_SUBJECT) ;;
  *) reached "the variable $name" ;; esac
done
[ -r /flightline/image/index.json ] && cat /flightline/root/usr/share/private && exit $bad
echo 'cannot read the image'
exit 1`;
}
