-- The roles of the database, as an administrator of it, once before the first run:
--
--     psql -v runner_password=… -v reader_password=… -f deploy/roles.sql books
--
-- reconcile_owner owns the schema and everything in it; nobody can sign in as it. reconcile_runner signs in for the
-- program and acts as the owner. reconcile_reader signs in for people and their tools, and reads only the reporting
-- views: the program grants it each of them.

\set ON_ERROR_STOP on
begin;
create role reconcile_owner nologin;
create role reconcile_runner login password :'runner_password' in role reconcile_owner;
create role reconcile_reader login password :'reader_password';
alter role reconcile_reader set default_transaction_read_only = on;
alter role reconcile_reader set search_path = reconcile;
select format('alter role reconcile_runner in database %I set role = reconcile_owner', current_database()) \gexec
select format('grant temporary on database %I to reconcile_owner', current_database()) \gexec
select format('revoke temporary on database %I from public', current_database()) \gexec
create schema reconcile authorization reconcile_owner;
grant usage on schema reconcile to reconcile_reader;
commit;
