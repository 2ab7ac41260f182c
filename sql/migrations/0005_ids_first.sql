-- Grain: none.
-- Purpose: Puts the column that tells records apart first in the keys of the records. All records of an app have the
-- same app, most the same source: to sort a million keys by those first takes three times as long. A table that is
-- divided by month has a key in each month, which stays.
-- Reads: none
-- Makes: none

do $$
begin
    if exists (select from pg_constraint where conrelid = 'transactions'::regclass and contype = 'p') then
        alter table transactions drop constraint transactions_pkey, add primary key (transaction_id, app_id);
    end if;
    if exists (select from pg_constraint where conrelid = 'entries'::regclass and contype = 'p') then
        alter table entries drop constraint entries_pkey, add primary key (ledger_id, source, app_id);
    end if;
end
$$;
