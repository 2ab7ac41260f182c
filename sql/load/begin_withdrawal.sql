-- Grain: `this_import`: one row, the import; `this_load`: one row an app.
-- Purpose: The tables that name the import to withdraw and the loads that withdraw it.
-- Reads: none
-- Makes: this_import, this_load

create temp table this_import (import_id bigint not null) on commit drop;

create temp table this_load (app_id text primary key, load_id integer not null) on commit drop;
