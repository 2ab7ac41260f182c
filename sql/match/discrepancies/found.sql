-- Grain: one row a discrepancy of any day: a finding with the type that it has on the as-of day, or a record that
-- cannot be used.
-- Purpose: Gives every finding its type. `due` is false for a pending transaction that is not yet stale on the as-of
-- day. `involved` are the records of a discrepancy: all of its match, of its booking, or of its quarantine.
-- Reads: asked, bookings, by_hand, discrepancy_type, findings, known_entry, known_transaction, pairings, policy,
-- unusable
-- Makes: broken, finding_record, found, involved, shown_entry, shown_transaction

create temp table broken on commit drop as
select
    row_number() over (
        order by app_id collate "C", side, source collate "C", record_id collate "C", content
    ) as broken_rank,
    unusable.*
from unusable;

create temp table finding_record on commit drop as
with standing as (
    select distinct side, number, match_no
    from findings
    inner join policy on findings.app_id = any(policy.app_ids)
),

-- Looked up by arrays of numbers here and below, as in prepare/records.
of_match as materialized (
    select distinct transaction_no as match_no, entry_no
    from pairings
    where transaction_no = any(array(select match_no from standing where match_no is not null))
),

record as (
    select 'kspay' as of_side, match_no as of_number, 'ledger' as side, entry_no as number
    from of_match
    union
    select 'kspay', of_match.match_no, 'kspay', pairings.transaction_no
    from of_match
    inner join pairings on pairings.entry_no = of_match.entry_no
    where pairings.entry_no = any(array(select entry_no from of_match))
    union
    select side, number, side, number
    from standing
    where match_no is null
    union
    select 'ledger', standing.number, 'ledger', bookings.entry_no
    from standing
    inner join bookings on bookings.lead_no = standing.number
    where standing.side = 'ledger'
)

select *
from record;

analyze finding_record (of_side, of_number, side, number);

create temp table shown_transaction on commit drop as
select *
from known_transaction
where number = any(array(
        select number from finding_record where side = 'kspay'
        union
        select number from by_hand where side = 'kspay'
    ));

create temp table shown_entry on commit drop as
select *
from known_entry
where number = any(array(
        select number from finding_record where side = 'ledger'
        union
        select number from by_hand where side = 'ledger'
        union
        select bookings.entry_no
        from bookings
        inner join by_hand on by_hand.side = 'ledger' and by_hand.number = bookings.lead_no
    ));

create unique index on shown_transaction (number);
create unique index on shown_entry (number);
-- Only what is joined by, here and below.
analyze shown_transaction (number);
analyze shown_entry (number);

create temp table found on commit drop as
with gathered as (
    select
        findings.app_id,
        findings.side,
        coalesce(shown_entry.source, 'kspay') as source,
        coalesce(shown_transaction.transaction_id, shown_entry.ledger_id) as record_id,
        findings.aspect,
        case
            when
                findings.kind like 'MISSING%'
                and coalesce(shown_transaction.business_on, shown_entry.business_on)
                between asked.period_last - asked.grace_days + 1 and asked.period_last
                then 'TIMING_DIFFERENCE'
            else findings.kind
        end as type,
        findings.kind <> 'STALE_PENDING' or findings.pending_since < asked.stale_before as due,
        shown_transaction.family as kspay_family,
        findings.number,
        findings.match_no
    from findings
    inner join policy on findings.app_id = any(policy.app_ids)
    cross join asked
    left join shown_transaction on findings.side = 'kspay' and shown_transaction.number = findings.number
    left join shown_entry on findings.side = 'ledger' and shown_entry.number = findings.number
    union all
    select app_id, side, source, known_by, 'validity', 'INVALID_RECORD', true, null, min(broken_rank), null
    from broken
    group by app_id, side, source, known_by
),

with_severity as (
    select
        gathered.*,
        case when kspay_family = 'refunded' then severity_of_refunded else severity end as severity
    from gathered
    inner join discrepancy_type using (type)
)

select
    row_number() over () as found_no,
    'D-' || letters(jsonb_build_array(app_id, side, source, record_id, aspect), 20) as discrepancy_id,
    *
from with_severity;

create temp table involved on commit drop as
select found.found_no, finding_record.side, finding_record.number
from found
inner join finding_record on finding_record.of_side = found.side and finding_record.of_number = found.number
where found.aspect <> 'validity'
union all
select found.found_no, 'broken', broken.broken_rank
from found
inner join broken
    on
        broken.app_id = found.app_id and broken.side = found.side and broken.source = found.source
        and broken.known_by = found.record_id
where found.aspect = 'validity';

analyze found (found_no, discrepancy_id, side, number, aspect);
analyze involved;
