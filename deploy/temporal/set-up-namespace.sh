#!/bin/sh
# Makes flightline's namespace and search attributes, by the temporal command line, with an operator's rights: workers need
# none of them. Where the server is: TEMPORAL_ADDRESS and the rest, or a profile. Run again it changes nothing.
#
#   set-up-namespace.sh [NAMESPACE [RETENTION]]
#
# RETENTION is how long ended releases can be listed and their histories read. Holds do not need it: only what has ended
# counts, and the record in the registry outlives it.
set -eu
namespace=${1:-flightline}
retention=${2:-30d}

temporal operator namespace describe --namespace "$namespace" >/dev/null 2>&1 ||
  temporal operator namespace create --namespace "$namespace" --retention "$retention"

# A new namespace takes seconds until every part of the server knows it.
tries=0
until temporal operator search-attribute list --namespace "$namespace" >/dev/null 2>&1; do
  tries=$((tries + 1))
  if [ "$tries" = 30 ]; then
    temporal operator search-attribute list --namespace "$namespace"
    exit 1
  fi
  sleep 1
done

temporal operator search-attribute create --namespace "$namespace" \
  --name FlightlineRepository --type Keyword \
  --name FlightlineTag --type Keyword \
  --name FlightlineStage --type Keyword \
  --name FlightlineStatus --type Keyword \
  --name FlightlineHost --type KeywordList
