#!/usr/bin/env bash
# The commands of Flight Control's guide "Building OS Images" as a script: what a user has without flightline, and what `npm run
# bench` measures flightline against. They are the guide's, in its order, with what this registry and builder need besides
# (`--tls-verify=false`, the key's passphrase, `--rootfs`, config.toml). Nothing is left out, repeated, or made slower.
#
#   guide.sh release TYPE[=container-disk]...   image: build, sign, push; each disk: build, sign, publish
#   guide.sh artifact FILE TYPE                 signs and publishes a disk file as an OCI artifact
#   guide.sh container-disk FILE                signs and publishes a qcow2 as a container disk
#
# Environment:
#   REPOSITORY, TAG          the OS image; a disk's repository is REPOSITORY/diskimage-TYPE
#   CONTEXT                  directory with the Containerfile and config.toml
#   BASE, BUILDER            the image in FROM, and the builder
#   SIGNING_KEY, PASSPHRASE_FILE
#   OUTPUT                   directory for the disks
#   HOME                     has .config/containers/registries.d with `use-sigstore-attachments: true`, as the guide's drop-in
#
# A line "step NAME" on standard output tells what begins.
set -euo pipefail

sign=(--sign-by-sigstore-private-key "$SIGNING_KEY" --sign-passphrase-file "$PASSPHRASE_FILE" --tls-verify=false)

step() {
  echo "step $*"
}

# "Building the OS Image (bootc)", "Signing and Publishing the OS Image (bootc)"
image() {
  step build
  podman build --tls-verify=false --build-arg BASE="$BASE" -t "$REPOSITORY:$TAG" "$CONTEXT"
  step push
  podman push "${sign[@]}" "$REPOSITORY:$TAG"
}

# "Building the OS Disk Image"
disk() {
  local type=$1
  step disk-build "$type"
  mkdir -p "$OUTPUT"
  podman run --rm --privileged --pull=newer --tls-verify=false \
    --security-opt label=type:unconfined_t \
    -v "$OUTPUT":/output \
    -v "$CONTEXT/config.toml":/config.toml:ro \
    -v /var/lib/containers/storage:/var/lib/containers/storage \
    "$BUILDER" \
    --type "$type" --rootfs ext4 \
    "$REPOSITORY:$TAG"
  chown -R "$(id -u):$(id -g)" "$OUTPUT"
}

# "Optional: Signing and Publishing the OS Disk Image to an OCI Registry"
artifact() {
  local file=$1 type=$2 repository=$REPOSITORY/diskimage-$2
  step publish "$type"
  # A run that was interrupted has left its list, and `create` refuses a name that is there.
  if podman manifest exists "$repository:$TAG"; then podman manifest rm "$repository:$TAG"; fi
  podman manifest create "$repository:$TAG"
  podman manifest add \
    --artifact --artifact-type "application/vnd.diskimage.$type" \
    --arch=amd64 --os=linux \
    "$repository:$TAG" \
    "$file"
  podman manifest push --all "${sign[@]}" "$repository:$TAG" "docker://$repository:$TAG"
}

# "Red Hat OpenShift Virtualization". The guide's builder stage is on ubi9; here it is on the base that is there already.
container_disk() {
  local file=$1 repository=$REPOSITORY/diskimage-qcow2
  step publish qcow2
  cat >"$(dirname "$file")/Containerfile.qcow2" <<LINES
FROM $BASE AS builder
ADD --chown=107:107 $(basename "$file") /disk/
RUN chmod 0440 /disk/*

FROM scratch
COPY --from=builder /disk/* /disk/
LINES
  # The context is the disk's own directory, which is less than the guide's `.`.
  podman build --tls-verify=false -t "$repository:$TAG" -f "$(dirname "$file")/Containerfile.qcow2" "$(dirname "$file")"
  podman push "${sign[@]}" "$repository:$TAG"
}

file_of() {
  case $1 in
    iso) echo "$OUTPUT/bootiso/install.iso" ;;
    raw | ami) echo "$OUTPUT/image/disk.raw" ;;
    *) echo "$OUTPUT/$1/disk.$1" ;;
  esac
}

release() {
  image
  local wish type
  for wish in "$@"; do
    type=${wish%%=*}
    disk "$type"
    if [ "$wish" = "$type" ]; then
      artifact "$(file_of "$type")" "$type"
    else
      container_disk "$(file_of "$type")"
    fi
  done
}

what=${1:?release, artifact or container-disk}
shift
case $what in
  release) release "$@" ;;
  artifact) artifact "$@" ;;
  container-disk) container_disk "$@" ;;
  *) echo "guide.sh: unknown: $what" >&2 && exit 2 ;;
esac
# What this shell and every program that it waited for have read and written (proc(5), /proc/PID/io).
[ -z "${IO_FILE:-}" ] || cat /proc/$$/io >"$IO_FILE"
