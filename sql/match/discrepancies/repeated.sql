-- Grain: one row a reported duplicate, for the record that it repeats: of those that make it a duplicate
-- (findings/findings) a matched one, then the nearest by date, then the lowest id by code points.
-- Purpose: `other_record` are the records that sentences name beside their own. Duplicates are few, so each is looked
-- up by index, however large the period is. `limit` and `offset 0` keep the planner from joining whole tables, as it
-- would where they have no statistics yet.
-- Reads: bookings, crowded_keys, entries, involved, pairings, policy, reported, shown_entry, shown_transaction,
-- transactions, usable_entry, usable_transaction
-- Makes: other_record

create temp table other_record (
    found_no bigint not null,
    side text not null,
    number bigint not null,
    source text,
    record_id text not null,
    business_on date,
    is_mate boolean not null,  -- matched with the one that is named
    key text,  -- of discrepancies/elsewhere: what both carry
    by_name boolean,  -- likewise: it is the id of a transaction, and no reference
    records integer  -- likewise: how many there are, of which this is the first
) on commit drop;

insert into other_record (found_no, side, number, source, record_id, business_on, is_mate)
with repeating as materialized (
    select reported.found_no, own.*
    from reported
    inner join shown_transaction as own on own.number = reported.number
    where reported.type = 'DUPLICATE_IN_KSPAY' and reported.match_no is null
),

nearest as (
    select repeating.found_no, other.number, other.transaction_id, other.business_on
    from repeating
    cross join policy
    cross join lateral (
        select known.number, known.transaction_id, known.business_on
        from usable_transaction as known
        left join lateral (select match_no from pairings where transaction_no = known.number limit 1) as taken on true
        where
            known.app_id = repeating.app_id and known.comparable = repeating.comparable
            and known.reference = repeating.reference and known.number <> repeating.number
            and known.family in ('paid', 'refunded')
            and known.currency = repeating.currency
            and abs(known.amount - repeating.amount)
            <= tolerance_of(repeating.tolerance_fixed, repeating.tolerance_percent, repeating.amount)
            and case
                when taken.match_no is not null
                    then abs(known.business_on - repeating.business_on) <= policy.duplicate_days
                else
                    (known.created_at, known.transaction_id collate "C")
                    < (repeating.created_at, repeating.transaction_id collate "C")
                    and repeating.business_on - known.business_on <= policy.duplicate_days
            end
        order by
            taken.match_no is null, abs(known.business_on - repeating.business_on), known.transaction_id collate "C"
        limit 1
    ) as other
)

select found_no, 'kspay', number, null, transaction_id, business_on, false
from nearest;

insert into other_record (found_no, side, number, source, record_id, business_on, is_mate)
-- A booking is known by the keys of all its entries. Each key stands with the facts of its duplicate, so that nothing
-- looks for a duplicate's keys among those of all.
with own_key as materialized (
    select distinct
        reported.found_no,
        own.number,
        own.app_id,
        own.source,
        own.ledger_id,
        own.currency,
        own.amount,
        own.business_on,
        own.tolerance_fixed,
        own.tolerance_percent,
        carried.*
    from reported
    inner join shown_entry as own on own.number = reported.number
    inner join involved on involved.found_no = reported.found_no and involved.side = 'ledger'
    inner join shown_entry as entry on entry.number = involved.number
    cross join
        lateral (
            values ('reference', entry.reference, entry.comparable), ('transaction_id', entry.transaction_id, null)
        ) as carried (kind, key, comparable)
    where
        reported.type = 'DUPLICATE_IN_LEDGER' and reported.match_no is null
        and key is not null
        and not exists (
            select from crowded_keys as crowded
            where crowded.app_id = entry.app_id and crowded.kind = carried.kind and crowded.key = carried.key
        )
),

possible as (
    select
        own_key.found_no,
        known.number,
        known.source,
        known.ledger_id,
        known.business_on,
        taken.match_no is not null as is_matched,
        abs(known.business_on - own_key.business_on) as days
    from own_key
    cross join policy
    -- Each entry of a booking counts with its own amount and date, and under the keys of all its entries.
    cross join
        lateral (
            select number
            from entries
            where
                own_key.kind = 'reference' and app_id = own_key.app_id and comparable = own_key.comparable
                and reference = own_key.key
            union all
            select number
            from entries
            where own_key.kind = 'transaction_id' and app_id = own_key.app_id and transaction_id = own_key.key
            union all
            -- A matched entry counts under its transactions' reference and id as well.
            select taken.entry_no
            from transactions
            cross join lateral (select match_no from pairings where transaction_no = transactions.number limit 1) as own
            cross join lateral (select entry_no from pairings where transaction_no = own.match_no offset 0) as taken
            where
                own_key.kind = 'reference' and app_id = own_key.app_id and comparable = own_key.comparable
                and reference = own_key.key
            union all
            select taken.entry_no
            from transactions
            cross join lateral (select match_no from pairings where transaction_no = transactions.number limit 1) as own
            cross join lateral (select entry_no from pairings where transaction_no = own.match_no offset 0) as taken
            where own_key.kind = 'transaction_id' and app_id = own_key.app_id and transaction_id = own_key.key
        ) as carrier
    cross join
        lateral (
            select coalesce(max(lead_no), carrier.number) as lead_no from bookings where entry_no = carrier.number
        ) as lead
    cross join
        lateral (
            select lead.lead_no as number
            union all
            select entry_no from bookings where lead_no = lead.lead_no
        ) as beside
    cross join lateral (select * from usable_entry where number = beside.number offset 0) as known
    left join lateral (select match_no from pairings where entry_no = known.number limit 1) as taken on true
    where
        lead.lead_no <> own_key.number
        and known.family in ('paid', 'refunded')
        and known.currency = own_key.currency
        and (known.amount < 0) = (own_key.amount < 0)
        and abs(known.amount - own_key.amount)
        <= tolerance_of(own_key.tolerance_fixed, own_key.tolerance_percent, abs(own_key.amount))
        and case
            when taken.match_no is not null then abs(known.business_on - own_key.business_on) <= policy.duplicate_days
            else
                (known.business_on, known.source collate "C", known.ledger_id collate "C")
                < (own_key.business_on, own_key.source collate "C", own_key.ledger_id collate "C")
                and own_key.business_on - known.business_on <= policy.duplicate_days
        end
)

select distinct on (found_no) found_no, 'ledger', number, source, ledger_id, business_on, false
from possible
order by found_no asc, is_matched desc, days asc, source collate "C" asc, ledger_id collate "C" asc;
