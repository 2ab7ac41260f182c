-- Grain: one row a reported discrepancy, as discrepancies.csv and resolved.csv show it.
-- Purpose: Where it has several records: their distinct values, sorted by code points, ";" between; sums of amounts;
-- earliest dates. A ledger id that several sources hold is written with its source.
-- Reads: asked, bookings, broken, decisions_in_force, decisions_proposed, discrepancies, fetched_windows, involved,
-- other_record, pairings, period_entry, period_transaction, reported, shown_entry, shown_transaction, suggestion
-- Makes: reported_row, shared_id

create temp table shared_id on commit drop as
with recursive source_name as (
    (select app_id, source from entries order by app_id, source limit 1)
    union all
    select following.app_id, following.source
    from source_name
    cross join lateral (
        select app_id, source
        from entries
        where (entries.app_id, entries.source) > (source_name.app_id, source_name.source)
        order by app_id, source
        limit 1
    ) as following
),

several as (
    select app_id, source
    from source_name
    where app_id in (select app_id from source_name group by app_id having count(*) > 1)
),

written as (
    select number from period_entry
    union
    -- The partner of a transaction of the period may be of another day.
    select pairings.entry_no
    from pairings
    inner join period_transaction on period_transaction.number = pairings.transaction_no
    union
    select number from shown_entry
    union
    select number from other_record where side = 'ledger'
),

shared as (
    select
        held.app_id,
        held.ledger_id
    from entries as held
    inner join several on several.app_id = held.app_id and several.source <> held.source
    inner join entries as other
        on
            other.app_id = held.app_id and other.source = several.source and other.ledger_id = held.ledger_id
    where
        (select exists(select from several))
        and held.number in (select number from written)
)

select distinct
    app_id,
    ledger_id
from shared;

analyze shared_id;

create temp view reported_row as
with transactions as (
    select
        involved.found_no,
        string_agg(distinct transaction_id collate "C", ';') as transaction_id,
        string_agg(distinct reference collate "C", ';') as reference,
        string_agg(distinct provider_order_id collate "C", ';') as provider_order_id,
        string_agg(distinct provider_txn_id collate "C", ';') as provider_txn_id,
        string_agg(distinct payment_type collate "C", ';') as payment_method,
        string_agg(distinct status collate "C", ';') as status,
        string_agg(distinct currency collate "C", ';') as currency,
        sum(amount) as amount,
        sum(fee) as fee,
        min(business_on) as business_on,
        count(*) as records,
        -- KS Pay does not say how much it gave back of a transaction that is refunded in part.
        case
            when bool_or(family = 'refunded' and refunded_in_part(status)) then null
            else coalesce(sum(amount) filter (where family = 'refunded'), 0)
        end as refunded
    from involved
    inner join shown_transaction on shown_transaction.number = involved.number
    where involved.side = 'kspay'
    group by involved.found_no
),

entries as (
    select
        involved.found_no,
        string_agg(
            distinct
            (
                case
                    when shared_id.ledger_id is null then entry.ledger_id
                    else entry_label(entry.source, entry.ledger_id)
                end
            )
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
        sum(entry.amount) filter (where bookings.entry_no is null) as amount,
        min(entry.business_on) filter (where bookings.entry_no is null) as business_on,
        count(*) filter (where bookings.entry_no is null) as records,
        sum(-entry.amount) filter (where entry.amount < 0 and entry.family in ('paid', 'refunded')) as refunded
    from involved
    inner join shown_entry as entry on entry.number = involved.number
    left join bookings on bookings.entry_no = entry.number
    left join shared_id on shared_id.app_id = entry.app_id and shared_id.ledger_id = entry.ledger_id
    where involved.side = 'ledger'
    group by involved.found_no
),

invalid as (
    select
        involved.found_no,
        min(broken.side) as side,
        min(broken.record_id) as record_id,
        string_agg(distinct broken.currency collate "C", ';') as currency,
        -- Where its amount can be read. Rows of one ledger id are as many payments; records with one id of KS Pay are
        -- one transaction, whose amount is known only if they agree.
        case
            when min(broken.currency collate "C") < max(broken.currency collate "C") then null
            when min(broken.side) = 'ledger' then sum(broken.amount)
            when min(broken.amount) = max(broken.amount) then min(broken.amount)
        end as amount,
        min(broken.business_on) as business_on,
        min(array[broken.reason, broken.field, broken.value] collate "C") as fault
    from involved
    inner join broken on broken.broken_rank = involved.number
    where involved.side = 'broken'
    group by involved.found_no
),

rule as (
    select distinct
        match_no,
        rule
    from pairings
    where transaction_no = any(array(select match_no from reported))
),

suggested as (
    select
        shown_transaction.number as transaction_no,
        shown_entry.number as entry_no,
        shown_transaction.transaction_id,
        case
            when shared_id.ledger_id is null then shown_entry.ledger_id
            else entry_label(shown_entry.source, shown_entry.ledger_id)
        end as ledger_id,
        suggestion.kind,
        case
            when suggestion.kind is null and shown_entry.amount <> shown_transaction.amount then shown_transaction.fee
        end as fee
    from suggestion
    inner join shown_transaction on shown_transaction.number = suggestion.transaction_no
    inner join shown_entry on shown_entry.number = suggestion.entry_no
    left join shared_id on shared_id.app_id = shown_entry.app_id and shared_id.ledger_id = shown_entry.ledger_id
),

suggested_entry as (
    select
        transaction_no,
        ledger_id,
        kind,
        fee
    from suggested
    where kind is distinct from 'batch'
),

-- Several transactions of a batch, else one.
suggested_transaction as (
    select
        entry_no,
        string_agg(transaction_id, ';' order by transaction_id collate "C") as transaction_id,
        min(kind) as kind,
        sum(fee) as fee
    from suggested
    group by entry_no
),

named as (
    select
        found_no,
        is_mate,
        other_record.business_on,
        other_record.key,
        other_record.by_name,
        other_record.records,
        case
            when shared_id.ledger_id is null then other_record.record_id
            else entry_label(other_record.source, other_record.record_id)
        end as written
    from other_record
    inner join reported using (found_no)
    left join shared_id
        on
            other_record.side = 'ledger' and shared_id.app_id = reported.app_id
            and shared_id.ledger_id = other_record.record_id
),

other as (
    select
        found_no,
        max(written) filter (where not is_mate) as record_id,
        max(business_on) as business_on,
        max(key) as key,
        bool_or(by_name) as by_name,
        max(records) as records,
        string_agg(written, ' and ' order by written collate "C") filter (where is_mate) as mates
    from named
    group by found_no
),

described as (
    select
        reported.discrepancy_id,
        reported.type,
        reported.severity,
        reported.status,
        asked.period_last - coalesce(reported.first_on, held.first_seen) as age_days,
        held.first_seen,
        reported.app_id,
        coalesce(transactions.transaction_id, case when invalid.side = 'kspay' then invalid.record_id end)
            as transaction_id,
        coalesce(entries.ledger_id, case when invalid.side = 'ledger' then invalid.record_id end) as ledger_id,
        transactions.reference,
        entries.reference as ledger_reference,
        coalesce(transactions.provider_order_id, entries.provider_order_id) as provider_order_id,
        coalesce(transactions.provider_txn_id, entries.provider_txn_id) as provider_txn_id,
        case
            when transactions.currency <> entries.currency then transactions.currency || ';' || entries.currency
            else coalesce(transactions.currency, entries.currency, invalid.currency)
        end as currency,
        coalesce(transactions.currency, case when invalid.side = 'kspay' then invalid.currency end) as kspay_currency,
        coalesce(entries.currency, case when invalid.side = 'ledger' then invalid.currency end) as ledger_currency,
        coalesce(transactions.amount, case when invalid.side = 'kspay' then invalid.amount end) as kspay_amount,
        coalesce(entries.amount, case when invalid.side = 'ledger' then invalid.amount end) as ledger_amount,
        case
            when invalid.side = 'kspay' then invalid.amount
            when invalid.side = 'ledger' then -invalid.amount
            when coalesce(transactions.currency = entries.currency, true)
                then coalesce(transactions.amount, 0) - coalesce(entries.amount, 0)
        end as difference,
        transactions.status as kspay_status,
        entries.status as ledger_status,
        coalesce(transactions.business_on, case when invalid.side = 'kspay' then invalid.business_on end) as kspay_date,
        coalesce(entries.business_on, case when invalid.side = 'ledger' then invalid.business_on end) as ledger_date,
        transactions.payment_method,
        rule.rule,
        coalesce(of_transaction.ledger_id, of_entry.transaction_id) as suggested_counterpart,
        coalesce(of_transaction.fee, of_entry.fee) as suggested_fee,
        coalesce(of_transaction.kind, of_entry.kind) as suggested_by,
        transactions.fee,
        entries.named_transaction,
        case when transactions.provider_order_id = entries.provider_order_id then entries.provider_order_id end
            as shared_order_id,
        case when transactions.provider_txn_id = entries.provider_txn_id then entries.provider_txn_id end
            as shared_txn_id,
        other.record_id as other_id,
        other.business_on as other_date,
        other.mates as other_matched_with,
        other.key as other_key,
        other.by_name as other_by_name,
        other.records as others,
        transactions.records as transactions,
        entries.records as entries,
        entries.refunded as given_back,
        case
            when reported.type = 'MISSING_IN_KSPAY' and entries.refunded > 0
                then (select min(window_first) from fetched_windows where fetched_windows.app_id = reported.app_id)
        end as first_fetched,
        case when reported.type = 'REFUND_MISMATCH' then transactions.refunded end as kspay_refunded,
        case when reported.type = 'REFUND_MISMATCH' then entries.refunded end as ledger_refunded,
        invalid.side as broken_side,
        invalid.fault[1] as broken_reason,
        invalid.fault[2] as broken_field,
        invalid.fault[3] as broken_value,
        reported.facts,
        reported.side = 'kspay' as of_kspay,
        decided.decision,
        decided.records as joined_records,
        decided.note,
        waiting.decision as proposed_decision,
        waiting.by_name as proposed_by,
        decided.assignee,
        decided.due,
        decided.by_name as by,
        decided.decided_at as at
    from reported
    cross join asked
    inner join discrepancies as held using (discrepancy_id)
    left join transactions using (found_no)
    left join entries using (found_no)
    left join invalid using (found_no)
    left join rule using (match_no)
    left join other using (found_no)
    left join suggested_entry as of_transaction
        on reported.side = 'kspay' and reported.match_no is null and of_transaction.transaction_no = reported.number
    left join suggested_transaction as of_entry
        on reported.side = 'ledger' and reported.match_no is null and of_entry.entry_no = reported.number
    left join decisions_in_force as decided on decided.discrepancy_id = reported.discrepancy_id
    left join decisions_proposed as waiting
        on waiting.discrepancy_id = reported.discrepancy_id and waiting.facts = reported.facts
)

select *
from described;
