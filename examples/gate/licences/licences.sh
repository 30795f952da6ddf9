#!/bin/sh
# A gate: no package of the image has one of the licences that its arguments name, as patterns of the shell: AGPL-*.
# The pattern "none" is for packages of which no licence is known. Lists packages as flightline does for image.sbom.
set -f
root=${ROOT:-/flightline/root}
[ $# -gt 0 ] || {
  echo 'name the licences that no package may have'
  exit 2
}
export SYFT_CHECK_FOR_APP_UPDATE=false
listed=$(syft scan "dir:$root" --quiet "--base-path=$root" --override-default-catalogers=image \
  --output=template "--template=${TEMPLATE:-/usr/local/share/licences.tmpl}") || exit 2
[ -n "$listed" ] || {
  echo 'Syft found no package: is there a package database?'
  exit 2
}
printf '%s\n' "$listed" | {
  status=0
  while read -r package version licences; do
    for licence in ${licences:-none}; do
      for pattern in "$@"; do
        # shellcheck disable=SC2254
        case $licence in
        $pattern)
          echo "$package $version: $licence"
          status=1
          ;;
        esac
      done
    done
  done
  exit "$status"
}
