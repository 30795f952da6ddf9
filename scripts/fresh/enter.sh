#!/bin/sh
# Makes a Debian root the root of this mount namespace and runs the rest of the arguments in it. Everything mounted and
# started here ends with the namespace; run it by `unshare --mount --pid --fork --kill-child`.
#
#   enter.sh ROOT STORAGE BINDS COMMAND...    BINDS: a file with lines "from<tab>to"
set -eu
root=$1 storage=$2 binds=$3
shift 3

mount --make-rprivate /
# pivot_root, which the OCI runtime uses too, wants a root that is a mount point.
mount --bind "$root" "$root"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=0755 tmpfs "$root/run"
mkdir -p "$root/var/lib/containers" "$root/run/lock"
# podman's overlay storage cannot lie on an overlay.
mount --bind "$storage" "$root/var/lib/containers"
tab=$(printf '\t')
while IFS=$tab read -r from to mode; do
  if [ -d "$from" ]; then mkdir -p "$root$to"; else mkdir -p "$root$(dirname "$to")"; : >"$root$to"; fi
  mount --bind "$from" "$root$to"
  [ "$mode" = rw ] || mount -o remount,bind,ro "$root$to"
done <"$binds"

cd "$root"
mkdir -p .outside
pivot_root . .outside
cd /
umount -l /.outside
rmdir /.outside
exec "$@"
