#!/bin/sh
# Runs inside the root: clones the repository from a bundle and does what a newcomer does. Writes a line
# "step exit-code seconds" per step to the results file, and a snapshot of what is installed around the last step.
#
#   steps.sh RESULTS STEP...    STEP: setup | demo | test | again
set -u
results=$1
shift
: >"$results"

step() {
  name=$1
  shift
  echo "=== $name: $*"
  begin=$(date +%s)
  "$@" </dev/null
  code=$?
  end=$(date +%s)
  echo "$name $code $((end - begin))" >>"$results"
  echo "=== $name: exit code $code after $((end - begin)) s"
  return $code
}

installed() {
  dpkg-query -W
  find "$HOME/.cache/flightline" /usr/local/bin -type f -printf '%p %s %T@\n' 2>/dev/null | sort
  stat -c '%n %Y' node_modules/.package-lock.json
}

cd "$HOME" || exit 1
step clone git -c advice.detachedHead=false clone --quiet /opt/machine/flightline.bundle flightline || exit 1
cd flightline || exit 1
for what in "$@"; do
  case $what in
  setup) step setup npm run setup -- --yes || exit 1 ;;
  demo) step demo npm run demo -- --yes || exit 1 ;;
  test) step test npm test || exit 1 ;;
  again)
    installed >/tmp/installed-before
    step again npm run demo || exit 1
    installed >/tmp/installed-after
    if ! cmp -s /tmp/installed-before /tmp/installed-after; then
      diff /tmp/installed-before /tmp/installed-after
      echo "nothing-installed 1 0" >>"$results"
      exit 1
    fi
    echo "nothing-installed 0 0" >>"$results"
    ;;
  esac
done
