#!/bin/sh
# A gate: no package of the image was built more than so many days ago, but those that are named.
# Arguments: DAYS [PACKAGE...]
root=${ROOT:-/flightline/root}
now=$(date +%s)
days=${1:-}
case $days in
'' | *[!0-9]*)
  echo 'say how many days'
  exit 2
  ;;
esac
shift
cd "$root" || exit 2

# dpkg keeps no date. But what a package says of itself is as old as its build: the tools of Debian set no time later
# than that of the changelog's last entry, and dpkg keeps the times.
debs() {
  [ -e var/lib/dpkg/status ] || return 0
  awk '
    /^Package: / { name = $2 }
    /^Architecture: / { architecture = $2 }
    /^Status: / { installed = $NF == "installed" }
    /^$/ { if (installed) print name, architecture; installed = 0 }
    END { if (installed) print name, architecture }
  ' var/lib/dpkg/status |
    while read -r name architecture; do
      about=var/lib/dpkg/info/$name.md5sums
      [ -e "$about" ] || about=var/lib/dpkg/info/$name:$architecture.md5sums
      echo "$(stat -c %Y "$about" 2>/dev/null || echo unknown) $name"
    done
}

# rpm keeps the date of each build. It wants to write beside its database.
rpms() {
  for place in usr/lib/sysimage/rpm usr/share/rpm var/lib/rpm; do
    [ -e "$place/rpmdb.sqlite" ] || continue
    copy=$(mktemp -d) && cp "$place"/rpmdb.sqlite* "$copy" || return 1
    rpm --dbpath "$copy" --query --all --queryformat '%{BUILDTIME} %{NAME}\n' >"$copy/listed" ||
      echo 'unknown rpm-packages' >"$copy/listed"
    grep -v ' gpg-pubkey$' "$copy/listed"
    rm -rf "$copy"
    return 0
  done
}

built=$({ debs; rpms; } | sort -k1,1rn -k2)
[ -n "$built" ] || {
  echo 'there is no package database that this gate can read'
  exit 2
}
# The oldest come last, and so are among the lines that a hold shows.
printf '%s\n' "$built" | {
  status=0
  while read -r time name; do
    case " $* " in *" $name "*) continue ;; esac
    if [ "$time" = unknown ]; then
      echo "$name: it is not known when it was built"
    elif [ $(((now - time) / 86400)) -gt "$days" ]; then
      echo "$name: built on $(date -u -d "@$time" +%F), $(((now - time) / 86400)) days ago"
    else
      continue
    fi
    status=1
  done
  exit "$status"
}
