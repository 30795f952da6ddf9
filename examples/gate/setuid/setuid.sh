#!/bin/sh
# A gate: no file of the image runs with the rights of its owner or group, but those that are named.
# Arguments are paths below the root of the image, without a slash in front. A directory that cannot be looked into,
# since it is another user's alone, is to be named too.
cd "${ROOT:-/flightline/root}" || exit 2

status=0
look() {
  why=$1
  shift
  while read -r path; do
    path=${path#./}
    case " $* " in
    *" $path "*) ;;
    *)
      echo "$why: /$path"
      status=1
      ;;
    esac
  done
  return "$status"
}

find . -xdev -type d ! \( -readable -executable \) -prune -o -type f \( -perm -4000 -o -perm -2000 \) -print |
  look 'setuid or setgid, and not allowed' "$@" || status=1
find . -xdev -type d ! \( -readable -executable \) -print -prune | look 'cannot be looked into' "$@" || status=1
exit "$status"
