-- Grain: one row, the app.
-- Purpose: Remembers the first day that KS Pay accepts for an app.
-- Reads: none
-- Makes: first_days

insert into first_days (app_id, first_day)
values (:app_id, :day)
on conflict (app_id) do update set first_day = excluded.first_day
