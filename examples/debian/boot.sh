#!/usr/bin/env bash
# Boots a disk in QEMU with UEFI firmware and waits for a line on its serial console.
set -euo pipefail

expect='login:'
timeout=240
iso=
disk=
kvm_silence=10
machine_architecture=$(uname -m)
architecture=$machine_architecture

usage() {
  cat <<HELP
Usage: boot.sh DISK [--iso] [--architecture NAME] [--expect TEXT] [--timeout SECONDS]

Boots a qcow2, vmdk, raw or iso file in QEMU under OVMF; the file is not changed. Exit code 0 when TEXT appears on the
serial console, 1 with the end of the console when it does not. KVM is tried first, then emulation.

  --iso              DISK is an iso (found out by itself)
  --architecture NAME
                     of the disk: amd64 or arm64 (default this machine's; another one is emulated)
  --expect TEXT      what to wait for         (default "$expect")
  --timeout SECONDS  how long to wait for it  (default $timeout)

Example: examples/debian/boot.sh output/qcow2/disk.qcow2
HELP
}

fail() {
  echo "boot.sh: $*" >&2
  exit 1
}

while [ $# -gt 0 ]; do
  case $1 in
    --iso) iso=yes && shift ;;
    --architecture | --expect | --timeout)
      [ $# -ge 2 ] || fail "$1 needs a value, see --help"
      declare "${1#--}=$2"
      shift 2
      ;;
    --help | -h) usage && exit 0 ;;
    -*) fail "unknown argument: $1, see --help" ;;
    *)
      [ -z "$disk" ] || fail "one disk at a time, see --help"
      disk=$1
      shift
      ;;
  esac
done
[ -n "$disk" ] || fail "which disk? see --help"
[ -f "$disk" ] || fail "no such file: $disk"
case $timeout in '' | *[!0-9]*) fail "--timeout is a number of seconds" ;; esac

# What the file says it is, whatever its name.
case $(head -c 4 "$disk" | od -An -c | tr -d ' ') in
  QFI*) format=qcow2 ;;
  KDMV) format=vmdk ;;
  *)
    format=raw
    [ "$(dd if="$disk" bs=1 skip=32769 count=5 status=none)" != CD001 ] || iso=yes
    ;;
esac

# Each distribution keeps the firmware elsewhere; its variables stand beside it.
case $architecture in
  x86_64 | amd64)
    architecture=x86_64
    qemu=qemu-system-x86_64 machine=q35
    # The least that every distribution here runs on (x86-64-v2); more only makes emulation slower.
    cpu=qemu64,+cx16,+lahf_lm,+popcnt,+ssse3,+sse4.1,+sse4.2
    firmware=(
      /usr/share/OVMF/OVMF_CODE_4M.fd /usr/share/OVMF/OVMF_VARS_4M.fd
      /usr/share/edk2/ovmf/OVMF_CODE_4M.qcow2 /usr/share/edk2/ovmf/OVMF_VARS_4M.qcow2
      /usr/share/edk2/ovmf/OVMF_CODE.fd /usr/share/edk2/ovmf/OVMF_VARS.fd
      /usr/share/OVMF/OVMF_CODE.fd /usr/share/OVMF/OVMF_VARS.fd
    )
    ;;
  aarch64 | arm64)
    architecture=aarch64
    qemu=qemu-system-aarch64 machine=virt cpu=cortex-a57
    firmware=(
      /usr/share/AAVMF/AAVMF_CODE.fd /usr/share/AAVMF/AAVMF_VARS.fd
      /usr/share/edk2/aarch64/QEMU_EFI-pflash.raw /usr/share/edk2/aarch64/vars-template-pflash.raw
    )
    ;;
  *) fail "no firmware known for $architecture" ;;
esac
code='' vars=''
for ((index = 0; index < ${#firmware[@]}; index += 2)); do
  if [ -f "${firmware[index]}" ] && [ -f "${firmware[index + 1]}" ]; then
    code=${firmware[index]} vars=${firmware[index + 1]}
    break
  fi
done
[ -n "$code" ] || fail "no UEFI firmware found: install ovmf or, for arm64, qemu-efi-aarch64 (Debian, Ubuntu), edk2-ovmf or edk2-aarch64 (Fedora)"
case $code in *.qcow2) firmware_format=qcow2 ;; *) firmware_format=raw ;; esac
if ! command -v "$qemu" >/dev/null; then
  # Red Hat's QEMU is not on PATH, and emulates no other machine.
  missing="$qemu is missing: install qemu-system-x86 or qemu-system-arm (Debian, Ubuntu) or qemu-kvm (Fedora)"
  qemu=/usr/libexec/qemu-kvm
  [ "$architecture" = "$machine_architecture" ] && [ -x "$qemu" ] || fail "$missing"
fi

work=$(mktemp -d "${TMPDIR:-/tmp}/boot.XXXXXX")
console=$work/console
guest=
stop_guest() {
  [ -n "$guest" ] || return 0
  kill "$guest" 2>/dev/null || true
  while kill -0 "$guest" 2>/dev/null; do sleep 0.1; done
  guest=
}
trap 'stop_guest; rm -rf "$work"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

start_guest() {
  local drive="file=$disk,format=$format,if=none,id=disk,snapshot=on" device=virtio-blk-pci,drive=disk
  [ -z "$iso" ] || drive="file=$disk,format=raw,if=none,id=disk,media=cdrom,readonly=on" device=scsi-cd,drive=disk
  : >"$console"
  cp "$vars" "$work/vars"
  "$qemu" -machine "$machine" "$@" -smp 2 -m 1024 -display none -monitor none -nic none -no-reboot \
    -drive "if=pflash,format=$firmware_format,readonly=on,file=$code" -drive "if=pflash,format=$firmware_format,file=$work/vars" \
    -device virtio-scsi-pci -drive "$drive" -device "$device" \
    -serial "file:$console" >"$work/qemu.log" 2>&1 </dev/null &
  guest=$!
  # The shell would report on its own how the guest ended.
  disown "$guest"
}

# Waits for the text: 0 when it is there, 1 when the guest ended or said nothing for SILENCE seconds, 2 when time is over.
wait_for() {
  local silence=$1 size=0 quiet_since=$SECONDS
  while [ "$SECONDS" -lt "$deadline" ]; do
    if grep -aqF -- "$expect" "$console"; then return 0; fi
    if ! kill -0 "$guest" 2>/dev/null; then return 1; fi
    if [ "$(stat -c %s "$console")" != "$size" ]; then
      size=$(stat -c %s "$console") quiet_since=$SECONDS
    fi
    if [ $((SECONDS - quiet_since)) -ge "$silence" ]; then return 1; fi
    sleep 0.5
  done
  return 2
}

begun=$SECONDS
deadline=$((SECONDS + timeout))
result=1
# A nested KVM may open and then stop at the first instruction it does not know, so it is given a short time to speak.
if [ -w /dev/kvm ] && [ "$architecture" = "$machine_architecture" ]; then
  accelerator=KVM
  start_guest -accel kvm -cpu host
  result=0
  wait_for "$kvm_silence" || result=$?
  [ "$result" != 1 ] || stop_guest
fi
if [ "$result" = 1 ]; then
  accelerator=emulation
  start_guest -accel tcg,thread=multi -cpu "$cpu"
  result=0
  wait_for "$timeout" || result=$?
fi
if [ "$result" = 0 ]; then
  echo "\"$expect\" after $((SECONDS - begun)) s ($accelerator)"
  exit 0
fi
{
  echo "boot.sh: \"$expect\" did not appear within $timeout s ($accelerator); the end of the console:"
  tail -n 40 "$console" | tr -d '\033\r' | sed 's/^/  /'
  [ ! -s "$work/qemu.log" ] || sed 's/^/  qemu: /' "$work/qemu.log"
} >&2
exit 1
