#!/bin/sh
# The login role of the server processes. They own nothing and obey row level security; the owner of the
# schema is used by migrations alone. Runs when the database is made; running it again changes nothing but
# the password.
set -eu
psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 --username="$POSTGRES_USER" --dbname="$POSTGRES_DB" <<'SQL'
\getenv password DATABASE_PASSWORD
select format('create role %I nologin', name)
from (values ('devsignal_server'), ('devsignal_unscoped'), ('devsignal')) as wanted (name)
where not exists (select from pg_roles where rolname = wanted.name)
\gexec
alter role devsignal login noinherit nosuperuser nobypassrls nocreatedb nocreaterole password :'password';
grant devsignal_server, devsignal_unscoped to devsignal with inherit false, set true;
select format('revoke all on database %I from public', current_database()) \gexec
select format('grant connect on database %I to devsignal', current_database()) \gexec
SQL
