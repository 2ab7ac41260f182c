-- Grain: one row a reported record without a counterpart, for the first (by source and id, by code points) of the other
-- side's records that share its reference, or a transaction's name, and are matched otherwise.
-- Purpose: Names the real cause: there is a record of that reference, but another one has it. A key that many records
-- carry counts for nothing here either, so no record has more than a few hundred. The one of a name comes first. A
-- refund that is part of a booking is not counted beside it.
-- Reads: bookings, crowded_keys, entries, pairings, reported, shown_entry, shown_transaction, transactions
-- Makes: other_record, without_counterpart

create temp table without_counterpart on commit drop as
with reported_alone as (
    select found_no, side, number
    from reported
    where match_no is null and type in ('MISSING_IN_LEDGER', 'MISSING_IN_KSPAY', 'TIMING_DIFFERENCE')
),

carried as (
    select
        found_no,
        side,
        app_id,
        'transaction_id' as kind,
        transaction_id as key,
        null as comparable
    from reported_alone
    inner join shown_transaction using (number)
    where side = 'kspay'
    union all
    select found_no, side, app_id, 'reference', reference, comparable
    from reported_alone
    inner join shown_transaction using (number)
    where side = 'kspay'
    union all
    select found_no, side, app_id, 'transaction_id', transaction_id, null
    from reported_alone
    inner join shown_entry using (number)
    where side = 'ledger'
    union all
    select found_no, side, app_id, 'reference', reference, comparable
    from reported_alone
    inner join shown_entry using (number)
    where side = 'ledger'
),

telling as (
    select carried.*
    from carried
    left join crowded_keys as crowded using (app_id, kind, key)
    where carried.key is not null and crowded.key is null
)

select *
from telling;

analyze without_counterpart;

insert into other_record (found_no, side, number, source, record_id, is_mate, key, by_name, records)
with carrying as (
    select found_no, own.key, true as by_name, number, source, ledger_id as record_id
    from without_counterpart as own
    inner join entries on entries.app_id = own.app_id and entries.transaction_id = own.key
    where own.side = 'kspay' and own.kind = 'transaction_id'
    union all
    select found_no, own.key, false, number, source, ledger_id
    from without_counterpart as own
    inner join entries
        on entries.app_id = own.app_id and entries.comparable = own.comparable and entries.reference = own.key
    where own.side = 'kspay' and own.kind = 'reference'
),

taken as (
    select carrying.*
    from carrying
    cross join lateral (select from pairings where entry_no = carrying.number limit 1) as of_match
    left join bookings on bookings.entry_no = carrying.number
    where bookings.entry_no is null
),

counted as (
    select
        *,
        count(*) over (partition by found_no, by_name) as records,
        row_number() over (
            partition by found_no order by by_name desc, source collate "C", record_id collate "C"
        ) as place
    from taken
)

select
    found_no,
    'ledger',
    number,
    source,
    record_id,
    false,
    key,
    by_name,
    records
from counted
where place = 1;

insert into other_record (found_no, side, number, record_id, is_mate, key, by_name, records)
with carrying as (
    select found_no, own.key, true as by_name, number, transaction_id as record_id
    from without_counterpart as own
    inner join transactions on transactions.app_id = own.app_id and transactions.transaction_id = own.key
    where own.side = 'ledger' and own.kind = 'transaction_id'
    union all
    select found_no, own.key, false, number, transaction_id
    from without_counterpart as own
    inner join transactions
        on
            transactions.app_id = own.app_id and transactions.comparable = own.comparable
            and transactions.reference = own.key
    where own.side = 'ledger' and own.kind = 'reference'
),

taken as (
    select carrying.*
    from carrying
    cross join lateral (select from pairings where transaction_no = carrying.number limit 1) as of_match
),

counted as (
    select
        *,
        count(*) over (partition by found_no, by_name) as records,
        row_number() over (partition by found_no order by by_name desc, record_id collate "C") as place
    from taken
)

select
    found_no,
    'kspay',
    number,
    record_id,
    false,
    key,
    by_name,
    records
from counted
where place = 1;
