-- Grain: one row a reported discrepancy, in the order of the file. Where it has several records: their
-- distinct values, sorted by code points, ";" between; sums of amounts; earliest dates.
with shared_id as (
    select app_id, ledger_id
    from entry
    group by app_id, ledger_id
    having count(*) > 1
),

transactions as (
    select
        involved.d,
        string_agg(distinct transaction_id collate "C", ';') as transaction_id,
        string_agg(distinct reference collate "C", ';') as reference,
        string_agg(distinct provider_order_id collate "C", ';') as provider_order_id,
        string_agg(distinct provider_txn_id collate "C", ';') as provider_txn_id,
        string_agg(distinct payment_type collate "C", ';') as payment_method,
        string_agg(distinct status collate "C", ';') as status,
        string_agg(distinct currency collate "C", ';') as currency,
        sum(amount) as amount,
        min(business_on) as business_on
    from involved
    inner join txn on txn.t = involved.number
    where involved.side = 'kspay'
    group by involved.d
),

entries as (
    select
        involved.d,
        string_agg(
            distinct
            (case when shared_id.ledger_id is null then entry.ledger_id else entry.source || ':' || entry.ledger_id end)
            collate "C",
            ';'
        ) as ledger_id,
        string_agg(distinct reference collate "C", ';') as reference,
        string_agg(distinct transaction_id collate "C", ';') as named_transaction,
        string_agg(distinct provider_order_id collate "C", ';') as provider_order_id,
        string_agg(distinct provider_txn_id collate "C", ';') as provider_txn_id,
        string_agg(distinct nullif(status, '') collate "C", ';') as status,
        string_agg(distinct entry.currency collate "C", ';') as currency,
        -- A booking counts as its positive entry.
        sum(entry.amount) filter (where booking.e is null) as amount,
        min(entry.business_on) filter (where booking.e is null) as business_on
    from involved
    inner join entry on entry.e = involved.number
    left join booking on booking.e = entry.e
    left join shared_id on shared_id.app_id = entry.app_id and shared_id.ledger_id = entry.ledger_id
    where involved.side = 'ledger'
    group by involved.d
),

broken as (
    select
        involved.d,
        min(unusable.side) as side,
        min(unusable.record_id) as record_id,
        min(unusable.source) as source,
        string_agg(distinct unusable.currency collate "C", ';') as currency,
        min(unusable.business_on) as business_on,
        string_agg(distinct unusable.field collate "C", ';') as field,
        min(unusable.reason collate "C") as reason
    from involved
    inner join unusable on unusable.q = involved.number
    where involved.side = 'unusable'
    group by involved.d
)

select
    reported.discrepancy_id,
    reported.type,
    reported.severity,
    'open' as status,
    policy.period_last - coalesce(reported.first_on, held.first_seen) as age_days,
    held.first_seen,
    reported.app_id,
    coalesce(transactions.transaction_id, case when broken.side = 'kspay' then broken.record_id end)
        as transaction_id,
    coalesce(entries.ledger_id, case when broken.side = 'ledger' then broken.record_id end) as ledger_id,
    transactions.reference,
    entries.reference as ledger_reference,
    coalesce(transactions.provider_order_id, entries.provider_order_id) as provider_order_id,
    coalesce(transactions.provider_txn_id, entries.provider_txn_id) as provider_txn_id,
    coalesce(match.currency, transactions.currency, entries.currency, broken.currency) as currency,
    transactions.currency as kspay_currency,
    entries.currency as ledger_currency,
    transactions.amount as kspay_amount,
    entries.amount as ledger_amount,
    case
        when broken.d is null and coalesce(match.same_currency, true)
            then coalesce(transactions.amount, 0) - coalesce(entries.amount, 0)
    end as difference,
    transactions.status as kspay_status,
    entries.status as ledger_status,
    coalesce(transactions.business_on, case when broken.side = 'kspay' then broken.business_on end) as kspay_date,
    coalesce(entries.business_on, case when broken.side = 'ledger' then broken.business_on end) as ledger_date,
    transactions.payment_method,
    taken_txn.rule,
    entries.named_transaction,
    broken.side as broken_side,
    broken.field as broken_field,
    broken.reason as broken_reason,
    reported.facts
from reported
cross join policy
inner join discrepancies as held using (discrepancy_id)
left join transactions using (d)
left join entries using (d)
left join broken using (d)
left join match using (m)
left join taken_txn on taken_txn.t = reported.m
order by
    array_position(array['high', 'medium', 'low', 'info'], reported.severity),
    array_position(
        array[
            'MISSING_IN_LEDGER', 'MISSING_IN_KSPAY', 'AMOUNT_MISMATCH', 'CURRENCY_MISMATCH', 'STATUS_MISMATCH',
            'DUPLICATE_IN_KSPAY', 'DUPLICATE_IN_LEDGER', 'DATE_MISMATCH', 'STALE_PENDING', 'UNKNOWN_STATUS',
            'TIMING_DIFFERENCE', 'INVALID_RECORD'
        ],
        reported.type
    ),
    reported.discrepancy_id collate "C"
