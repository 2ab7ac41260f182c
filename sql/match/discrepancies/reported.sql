-- Grain: one row a discrepancy that this run reports: with a record dated in the period, or an earlier one whose day a
-- finished run covered; a quarantined record without a readable date always counts.
-- Purpose: `status` is open; resolved, where a decision covers the very facts; or reopened, where it covered others or
-- was taken back. What a person joined is resolved too, while it stands.
-- Reads: asked, broken, by_hand, covered, decisions_in_force, discrepancies, found, involved, pairings, shown_entry,
-- shown_transaction
-- Makes: involved, joined_by_hand, found_status, reported

-- Facts are those of all its records and the type (missing and timing are one).
create temp table found_status on commit drop as
with fact as (
    select 'kspay' as side, number, facts, business_on, transaction_id as source, '' as record_id
    from shown_transaction
    union all
    select 'ledger', number, facts, business_on, source, ledger_id
    from shown_entry
    union all
    select 'broken', broken_rank, content, business_on, source, ''
    from broken
),

gathered as (
    select
        found.found_no,
        letters(
            jsonb_build_array(
                case
                    when min(found.type) = 'TIMING_DIFFERENCE' or min(found.type) like 'MISSING%' then 'MISSING'
                    else min(found.type)
                end,
                jsonb_agg(
                    fact.facts order by involved.side, fact.source collate "C", fact.record_id collate "C", fact.facts
                )
            ),
            10
        ) as facts,
        min(fact.business_on) as first_on,
        bool_or(
            fact.business_on is null
            or fact.business_on between asked.period_first and asked.period_last
            or (
                fact.business_on < asked.period_first
                and exists (
                    select from covered
                    where
                        covered.app_id = found.app_id
                        and fact.business_on between covered.period_first and covered.period_last
                )
            )
        ) as counts
    from found
    inner join involved using (found_no)
    inner join fact on fact.side = involved.side and fact.number = involved.number
    cross join asked
    where found.due
    group by found.found_no
),

with_status as (
    select
        found.*,
        gathered.facts,
        gathered.first_on,
        gathered.counts,
        case
            when decided.decision in ('accept', 'write_off', 'ignore') and decided.facts = gathered.facts
                then 'resolved'
            when decided.decision is not null then 'reopened'
            else 'open'
        end as status
    from found
    inner join gathered using (found_no)
    left join decisions_in_force as decided using (discrepancy_id)
)

select *
from with_status;

create unique index on found_status (found_no);
analyze found_status (found_no);

-- What a person joined and what is not found any more because of that: negative numbers.
create temp table joined_by_hand on commit drop as
select
    -by_hand.decision_id as found_no,
    decided.discrepancy_id,
    held.app_id,
    held.side,
    held.source,
    held.record_id,
    held.aspect,
    held.type,
    held.severity,
    held.facts,
    min(coalesce(shown_transaction.business_on, shown_entry.business_on)) as first_on,
    min(by_hand.number) filter (where by_hand.side = 'kspay') as transaction_no
from by_hand
inner join decisions_in_force as decided on decided.decision_id = by_hand.decision_id
inner join discrepancies as held on held.discrepancy_id = decided.discrepancy_id
left join shown_transaction on by_hand.side = 'kspay' and shown_transaction.number = by_hand.number
left join shown_entry on by_hand.side = 'ledger' and shown_entry.number = by_hand.number
where not exists (select from found_status where found_status.discrepancy_id = decided.discrepancy_id)
group by by_hand.decision_id, decided.discrepancy_id, held.app_id, held.discrepancy_id;

create temp table reported on commit drop as
select
    found_no,
    discrepancy_id,
    app_id,
    side,
    source,
    record_id,
    aspect,
    type,
    severity,
    facts,
    first_on,
    status,
    number,
    match_no
from found_status
where counts
union all
select
    found_no, discrepancy_id, joined_by_hand.app_id, side, source, record_id, aspect, type, severity, facts, first_on,
    'resolved', joined_by_hand.transaction_no, pairings.match_no
from joined_by_hand
cross join asked
left join lateral (
    select match_no
    from pairings
    where pairings.transaction_no = joined_by_hand.transaction_no
    limit 1
) as pairings on true
where first_on <= asked.period_last;

insert into involved
select joined_by_hand.found_no, by_hand.side, by_hand.number
from joined_by_hand
inner join by_hand on by_hand.decision_id = -joined_by_hand.found_no;

create unique index on reported (found_no);
analyze reported (found_no, discrepancy_id, side, number, match_no, type, status);
