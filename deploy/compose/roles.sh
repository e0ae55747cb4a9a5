# SPDX-License-Identifier: Apache-2.0
# Runs once, when the image of PostgreSQL creates its data: two roles for each service (deploy/README.md), both with
# the password PURSER_PASSWORD, and the schema that the first one owns.
# The image sources it.
set -e

psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" \
    --set=database="$POSTGRES_DB" --set=password="$PURSER_PASSWORD" <<'SQL'
REVOKE ALL ON DATABASE :"database" FROM PUBLIC;
REVOKE ALL ON SCHEMA public FROM PUBLIC;
SELECT format(command, 'purser_' || service, service, :'database', :'password')
FROM (VALUES ('catalog'), ('contract'), ('ledger'), ('alert')) services (service),
    (VALUES
        (1, 'CREATE ROLE %1$I LOGIN PASSWORD %4$L'),
        (2, 'CREATE ROLE %1$I_runtime LOGIN PASSWORD %4$L'),
        (3, 'GRANT CONNECT ON DATABASE %3$I TO %1$I, %1$I_runtime'),
        (4, 'CREATE SCHEMA %2$I AUTHORIZATION %1$I')
    ) commands (number, command)
ORDER BY service, number \gexec
SQL
