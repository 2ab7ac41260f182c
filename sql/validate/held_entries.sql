-- Grain: one row an entry of an app that counts, or is in quarantine though it could be typed.
-- Purpose: What `reconcile validate` asks the suite of entries about. The setting reconcile.app names the app.
-- Reads: entries, quarantine
-- Makes: judged_entries

create or replace temp view judged_entries as
with known as (
    select source || ' ' || ledger_id as place, entries.*
    from entries
    where app_id = current_setting('reconcile.app') and not withdrawn
    union all
    select held.file || ', row ' || held.row_number as place, typed.*
    from quarantine as held
    cross join lateral jsonb_populate_record(null::entries, held.typed) as typed
    where held.app_id = current_setting('reconcile.app') and held.side = 'ledger' and held.typed is not null
)

select
    place,
    app_id,
    source,
    nullif(ledger_id, '') as ledger_id,
    reference,
    currency,
    amount,
    status,
    coalesce(dated_on, (dated_at at time zone 'UTC')::date) as date,
    transaction_id,
    provider_order_id,
    provider_txn_id,
    description
from known
