-- Grain: one row a transaction of an app that is held, or in quarantine though it could be typed.
-- Purpose: What `reconcile validate` asks the suite of transactions about. The setting reconcile.app names the app.
-- Reads: quarantine, transactions
-- Makes: judged_transactions

create or replace temp view judged_transactions as
with known as (
    select transaction_id as place, transactions.*
    from transactions
    where app_id = current_setting('reconcile.app')
    union all
    select held.file || ', row ' || held.row_number as place, typed.*
    from quarantine as held
    cross join lateral jsonb_populate_record(null::transactions, held.typed) as typed
    where held.app_id = current_setting('reconcile.app') and held.side = 'kspay' and held.typed is not null
)

select
    place,
    app_id,
    nullif(transaction_id, '') as transaction_id,
    reference,
    currency,
    amount,
    status,
    created_at,
    updated_at,
    provider_order_id,
    provider_txn_id,
    payment_type as payment_method,
    provider_name,
    provider_status
from known
