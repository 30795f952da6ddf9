#!/bin/sh
# A gate: no file of the image runs with the rights of its owner or group, but those that are named.
# Arguments are paths below the root of the image, without a slash in front.
cd "${ROOT:-/flightline/root}" || exit 2

found=$(find . -xdev -type f \( -perm -4000 -o -perm -2000 \) | sed 's|^\./||' | sort) || exit 2
status=0
for file in $found; do
  known=no
  for allowed in "$@"; do
    [ "$file" = "$allowed" ] && known=yes
  done
  if [ "$known" = no ]; then
    echo "setuid or setgid, and not allowed: /$file"
    status=1
  fi
done
[ "$status" = 0 ] && echo "nothing is setuid or setgid but: ${*:-nothing}"
exit "$status"
