-- Grain: one row in all.
-- Purpose: Whether a ledger books payments like this one less their fee: of the newest thousand of its method and
-- currency that are matched, more than it books whole.
-- Reads: entries, pairings, transactions
-- Makes: none

with newest as (
    select
        txn.amount,
        entries.amount as ledger_amount,
        expected_fee(
            cast(:fees as jsonb), txn.payment_type, txn.currency, txn.amount, business_date(txn.created_at, :timezone)
        ) as fee
    from transactions as own
    inner join transactions as txn
        on
            txn.app_id = own.app_id and txn.currency = own.currency
            and txn.payment_type is not distinct from own.payment_type
    inner join pairings on pairings.app_id = txn.app_id and pairings.transaction_no = txn.number
    inner join entries
        on
            entries.app_id = pairings.app_id and entries.number = pairings.entry_no
            and entries.source = :source
    where own.app_id = :app_id and own.transaction_id = any(cast(:ids as text[]))
    order by txn.created_at desc, txn.number desc, entries.number desc
    limit 1000
)

select
    count(*) filter (where ledger_amount = amount - fee) > count(*) filter (where ledger_amount = amount) as is_net
from newest
where fee is not null
