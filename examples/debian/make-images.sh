#!/usr/bin/env bash
# Makes two container images from Debian packages alone, so that a release can be tried where no image registry is
# reachable: a bootable base image, and a builder that turns images into disks (see README.md).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
base=
builder=
packages=localhost/flightline/debian-builder-packages
suite=trixie
machine=$(dpkg --print-architecture 2>/dev/null || uname -m | sed 's/x86_64/amd64/; s/aarch64/arm64/')
architecture=$machine
mirror=
cache=
force=

usage() {
  cat <<HELP
Usage: make-images.sh [options]

Makes a bootable base image and the example builder from a Debian mirror, with mmdebstrap and podman, as root.
An image that was made from the same inputs is kept; the second run takes a second.

  --base NAME      name of the base image     (default localhost/flightline/debian-base:trixie)
  --builder NAME   name of the builder image  (default localhost/flightline/debian-builder:1)
  --architecture NAME
                   amd64 or arm64             (default $machine, this machine's; the names of another one end in -NAME)
  --suite NAME     Debian suite               (default $suite)
  --mirror URL     Debian mirror              (default: the one in this machine's apt sources, else deb.debian.org)
  --cache DIR      keep the root file systems there and use them again
  --force          make both images anew, for newer packages
  --help           this text

Example: examples/debian/make-images.sh --builder localhost/my-builder:1
HELP
}

fail() {
  echo "make-images.sh: $*" >&2
  exit 1
}

while [ $# -gt 0 ]; do
  case $1 in
    --base | --builder | --architecture | --suite | --mirror | --cache)
      [ $# -ge 2 ] || fail "$1 needs a value, see --help"
      declare "${1#--}=$2"
      shift 2
      ;;
    --force) force=yes && shift ;;
    --help | -h) usage && exit 0 ;;
    *) fail "unknown argument: $1, see --help" ;;
  esac
done

for program in mmdebstrap podman flock sha256sum tar; do
  command -v "$program" >/dev/null || fail "$program is missing: install it with the system's package manager"
done
[ "$(id -u)" = 0 ] || fail "needs root, as privileged disk builds do: run it with sudo"
ending=
if [ "$architecture" != "$machine" ]; then
  ending=-$architecture
  # mmdebstrap asks it whether the packages' own programs run here.
  command -v arch-test >/dev/null || fail "arch-test is missing: it tells whether programs of $architecture run here"
fi
base=${base:-localhost/flightline/debian-base:trixie$ending}
builder=${builder:-localhost/flightline/debian-builder:1$ending}
packages=$packages:$suite$ending

# Mirrors, best first: those in the machine's own apt sources, of the same suite before others. `update --print-uris` knows
# them without package lists, and downloads nothing.
mirrors() {
  if [ -n "$mirror" ]; then
    echo "$mirror"
    return
  fi
  if command -v apt-get >/dev/null; then
    apt-get update --print-uris 2>/dev/null |
      sed -nE "s#^'([^']+)/dists/(bookworm|trixie|forky|sid|stable|testing|unstable)/InRelease'.*#\2 \1#p" |
      awk -v suite="$suite" '{ print ($1 == suite ? 0 : 1), $2 }' | sort -s -u -k1,1n -k2 | cut -d' ' -f2 |
      while read -r uri; do
        case $uri in
          mirror+file:*) grep -m1 -oE '^https?://[^[:space:]]+' "${uri#mirror+file:}" || true ;;
          http:* | https:*) echo "$uri" ;;
        esac
      done
  fi
  echo http://deb.debian.org/debian
}

# The first one that has Debian's suite, and not another project's of the same name. apt's helper knows the machine's proxy.
choose_mirror() {
  local candidate helper=/usr/lib/apt/apt-helper
  while read -r candidate; do
    candidate=${candidate%/}
    if [ ! -x "$helper" ] || {
      "$helper" download-file "$candidate/dists/$suite/InRelease" "$work/InRelease.$1" >/dev/null 2>&1 &&
        grep -q '^Origin: Debian$' "$work/InRelease.$1"
    }; then
      echo "$candidate"
      return
    fi
  done < <(mirrors | awk '!seen[$0]++')
  fail "no Debian mirror answers for suite $suite: name one with --mirror"
}

# Times in the images are of trixie's release at the latest, so that equal packages give equal layers.
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-1754697600}

common=(
  --mode=root --architectures="$architecture" --skip=output/dev
  --aptopt='Acquire::Retries "3"' --aptopt='Acquire::Languages "none"'
  --dpkgopt=force-unsafe-io
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright'
  --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/info/*'
  --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/lintian/*'
  # mmdebstrap leaves this machine's name and resolver in the root.
  --customize-hook='echo localhost >"$1/etc/hostname"; : >"$1/etc/resolv.conf"; : >"$1/etc/machine-id"'
)
roots="${common[*]} $suite $architecture $SOURCE_DATE_EPOCH"
for scheme in http https; do
  proxy=$(apt-config dump --format '%v%n' "Acquire::$scheme::Proxy" 2>/dev/null || true)
  [ -z "$proxy" ] || common+=(--aptopt="Acquire::$scheme::Proxy \"$proxy\"")
done

# The kernel and the initrd where bootc images have them: /usr/lib/modules/<version>/{vmlinuz,initramfs.img}.
move_kernel='
  version=$(ls "$1/usr/lib/modules")
  mv "$1/boot/vmlinuz-$version" "$1/usr/lib/modules/$version/vmlinuz"
  mv "$1/boot/initrd.img-$version" "$1/usr/lib/modules/$version/initramfs.img"
  rm -rf "$1"/boot/* "$1"/vmlinuz* "$1"/initrd.img*'
# What a Containerfile of a user installs comes from Debian itself, wherever this machine found it.
public_sources='
  rm -f "$1"/etc/apt/sources.list.d/*
  { echo "deb http://deb.debian.org/debian '$suite' main"
    case '$suite' in
      sid | unstable) ;;
      *) echo "deb http://deb.debian.org/debian-security '$suite'-security main" ;;
    esac; } >"$1/etc/apt/sources.list"'

root_of_base() {
  mmdebstrap "${common[@]}" --variant=minbase \
    --include="linux-image-cloud-$architecture,systemd-sysv,udev,dbus,login,passwd,zstd,live-boot,live-boot-initramfs-tools" \
    --customize-hook="$move_kernel" --customize-hook="$public_sources" "$@"
}

root_of_builder() {
  # libicu (36 MB) is there for xfs_scrub only, which the builder does not run.
  mmdebstrap "${common[@]}" --variant=essential \
    --include=python3,e2fsprogs,xfsprogs,dosfstools,mtools,fdisk,mount,systemd-boot-efi,qemu-utils,squashfs-tools,xorriso \
    --dpkgopt='path-exclude=*/libicu*' \
    --dpkgopt='path-exclude=/usr/bin/qemu-storage-daemon' --dpkgopt='path-exclude=/usr/bin/qemu-nbd' \
    --customize-hook='rm -rf "$1/usr/share/python3/debpython/__pycache__"' "$@"
}

# Makes NAME's root file system as a tar, from the cache when it is there.
make_root() {
  local name=$1 tar=$work/$1.tar kept=
  if [ -n "$cache" ]; then
    mkdir -p "$cache"
    kept=$cache/$name-$(hash_of <<<"$roots $(declare -f "root_of_$name") $move_kernel $public_sources").tar
    if [ -z "$force" ] && [ -f "$kept" ]; then
      ln -s "$(realpath "$kept")" "$tar"
      return
    fi
  fi
  local chosen
  chosen=$(choose_mirror "$name")
  local source="deb $chosen $suite main" keyring=/usr/share/keyrings/debian-archive-keyring.gpg
  [ ! -f "$keyring" ] || source="deb [signed-by=$keyring] $chosen $suite main"
  "root_of_$name" "$suite" "$tar" "$source"
  if [ -n "$kept" ]; then
    cp "$tar" "$kept.part"
    mv "$kept.part" "$kept"
  fi
}

# Runs a command that makes an image of this name, and removes the one that had the name before, unless that has other
# names or children.
replace() {
  local name=$1 before names
  shift
  before=$(podman image inspect --format '{{.Id}}' "$name" 2>/dev/null || true)
  "$@" >/dev/null
  [ -n "$before" ] || return 0
  names=$(podman image inspect --format '{{len .RepoTags}}' "$before" 2>/dev/null || true)
  [ "$names" != 0 ] || podman rmi "$before" >/dev/null 2>&1 || true
}

make_base() {
  make_root base
  replace "$base" podman import --quiet --arch "$architecture" --change "LABEL $inputs_label=$base_inputs" \
    --change 'LABEL containers.bootc=1' --change 'CMD ["/sbin/init"]' "$work/base.tar" "$base"
}

# The packages are a layer of their own: another program of the builder is made without a mirror, in a second.
make_builder() {
  local program=usr/lib/bootc-image-builder
  if ! is_made "$packages" "$packages_inputs"; then
    make_root builder
    replace "$packages" podman import --quiet --arch "$architecture" --change "LABEL $inputs_label=$packages_inputs" \
      "$work/builder.tar" "$packages"
  fi
  mkdir -p "$work/program/$program" "$work/program/usr/bin"
  cp "$here"/builder/* "$work/program/$program/"
  chmod -R u=rwX,go=rX "$work/program"
  chmod 0755 "$work/program/$program/"{bootc-image-builder,image-builder}
  ln -s "/$program/"{bootc-image-builder,image-builder} "$work/program/usr/bin/"
  cat >"$work/Containerfile" <<CONTAINERFILE
FROM $packages
COPY program /
LABEL $inputs_label=$builder_inputs
ENTRYPOINT ["/usr/bin/bootc-image-builder"]
WORKDIR /output
VOLUME /output /store /rpmmd /var/lib/containers/storage
CONTAINERFILE
  replace "$builder" podman build --quiet --platform "linux/$architecture" --layers=false --pull=never --timestamp="$SOURCE_DATE_EPOCH" \
    --tag "$builder" --file "$work/Containerfile" "$work"
}

# What an image depends on; its hash is a label of the image, and an image with the same hash is not made again.
inputs_label=io.flightline.example.inputs
hash_of() { sha256sum | cut -c1-64; }
base_inputs=$(hash_of <<<"$roots $(declare -f root_of_base) $move_kernel $public_sources")
packages_inputs=$(hash_of <<<"$roots $(declare -f root_of_builder)")
builder_inputs=$({ echo "$packages_inputs" && declare -f make_builder && cd "$here/builder" && sha256sum -- *; } | hash_of)

is_made() {
  [ -z "$force" ] &&
    [ "$(podman image inspect --format "{{index .Labels \"$inputs_label\"}}" "$1" 2>/dev/null)" = "$2" ]
}

# Of two runs at a time the second waits, and finds the work done.
exec {lock}>"${TMPDIR:-/tmp}/flightline-make-images$ending.lock"
flock "$lock"

wanted=()
is_made "$base" "$base_inputs" || wanted+=(base)
is_made "$builder" "$builder_inputs" || wanted+=(builder)
if [ ${#wanted[@]} = 0 ]; then
  echo "unchanged: $base and $builder were made from the same inputs"
  exit 0
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/make-images.XXXXXX")
# apt's own user downloads into the root file systems, which mmdebstrap makes in here.
chmod 0755 "$work"
export TMPDIR=$work
jobs_running=()
clean_up() {
  set +e
  # The shell would report on its own how each job ended.
  exec 2>/dev/null
  for job in "${jobs_running[@]}"; do
    kill -- "-$job"
    for _ in {1..100}; do
      kill -0 -- "-$job" || break
      sleep 0.1
    done
    kill -KILL -- "-$job"
  done
  # Should a mount of a root be left, it is not descended into.
  rm -rf --one-file-system "$work"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

echo "making ${wanted[*]} from Debian $suite ($architecture)"
# Each in a process group of its own, so that an interruption ends all of it.
set -m
for name in "${wanted[@]}"; do
  ("make_$name") >"$work/$name.log" 2>&1 {lock}>&- &
  jobs_running+=($!)
done
failed=
for index in "${!wanted[@]}"; do
  name=${wanted[$index]}
  if wait "${jobs_running[$index]}"; then
    echo "made ${!name}, $(podman image inspect --format '{{.Size}}' "${!name}" | awk '{printf "%.0f MB", $1 / 1e6}')"
  else
    echo "make-images.sh: making the $name image failed:" >&2
    tail -n 25 "$work/$name.log" | sed 's/^/  /' >&2
    failed=yes
  fi
done
jobs_running=()
[ -z "$failed" ] || fail "not all images were made"
