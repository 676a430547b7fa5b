#!/bin/bash
# Run once by the PostgreSQL image on an empty data folder: roles, then the schemas of one database.
set -euo pipefail
variables=()
for service in gateway payments notifier reconciler; do
  for kind in owner app eraser; do
    name=${service^^}_${kind^^}_PASSWORD
    variables+=("--set=${service}_${kind}_password=${!name:?}")
  done
done
psql -U "$POSTGRES_USER" -d "$POSTGRES_DB" -X -q "${variables[@]}" -f /paystream/roles.sql
psql -U "$POSTGRES_USER" -d "$POSTGRES_DB" -X -q -f /paystream/schemas.sql
