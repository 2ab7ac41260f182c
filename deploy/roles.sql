-- The roles of the database, as an administrator of it, once before the first run:
--
--     psql -f deploy/roles.sql books
--
-- It takes the passwords from the environment, RUNNER_PASSWORD and READER_PASSWORD, and asks for those that are not there:
-- on a command line others could read them. For a further database of the server, such as one to restore into, run it there
-- too: the roles stay as they are, and their passwords.
--
-- reconcile_owner owns the schema and everything in it; nobody can sign in as it. reconcile_runner signs in for the
-- program and acts as the owner. reconcile_reader signs in for people and their tools, and reads only the reporting
-- views: the program grants it each of them.

\set ON_ERROR_STOP on
select exists (select from pg_roles where rolname = 'reconcile_owner') as known \gset
\if :known
begin;
\else
\getenv runner_password RUNNER_PASSWORD
\if :{?runner_password}
\else
\prompt 'password of reconcile_runner: ' runner_password
\endif
\getenv reader_password READER_PASSWORD
\if :{?reader_password}
\else
\prompt 'password of reconcile_reader: ' reader_password
\endif
begin;
create role reconcile_owner nologin;
create role reconcile_runner login password :'runner_password' in role reconcile_owner;
create role reconcile_reader login password :'reader_password';
-- A machine that loses its power or its network says no goodbye: without this its run holds the lock of its apps for more
-- than two hours. Now for two minutes.
alter role reconcile_runner set tcp_keepalives_idle = 60;
alter role reconcile_runner set tcp_keepalives_interval = 10;
alter role reconcile_runner set tcp_keepalives_count = 6;
alter role reconcile_runner set tcp_user_timeout = 120000;
alter role reconcile_reader set default_transaction_read_only = on;
alter role reconcile_reader set search_path = reconcile;
\endif
select format('alter role reconcile_runner in database %I set role = reconcile_owner', current_database()) \gexec
select format('grant temporary on database %I to reconcile_owner', current_database()) \gexec
select format('revoke temporary on database %I from public', current_database()) \gexec
create schema reconcile authorization reconcile_owner;
grant usage on schema reconcile to reconcile_reader;
commit;
