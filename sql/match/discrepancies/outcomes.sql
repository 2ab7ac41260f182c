-- Grain: `outcome`: one row a record of which something may be wrong; `tally`: one row a scope, side, currency,
-- outcome, rule, payment method and `counts`.
-- Purpose: What became of the records of the period, and of the earlier ones that the report lists (`scope` carried):
-- each has exactly one outcome. It depends on all that is wrong with a record by the as-of day, not only on what is
-- reported. Nearly all records are matched and nothing is wrong with them: they are only counted (`tally`). Records
-- with which something may be wrong have a row each (`outcome`), and are taken out of that count.
-- Reads: asked, broken, involved, found_status, pairings, period_entry, period_transaction, reported, shown_entry,
-- shown_transaction
-- Makes: beside, outcome, summary, tally, wrong

create temp table wrong on commit drop as
select
    involved.side,
    involved.number,
    bool_and(found_status.status = 'resolved') as decided,
    bool_or(found_status.type = 'TIMING_DIFFERENCE' and found_status.status <> 'resolved') as timing
from found_status
inner join involved using (found_no)
group by involved.side, involved.number;

create unique index on wrong (side, number);
analyze wrong;

-- Grain: one row a record in a scope that stands in something wrong or in quarantine, or that a person joined.
create temp table outcome on commit drop as
with listed as (
    select distinct involved.side, involved.number
    from reported
    inner join involved using (found_no)
),

record as (
    select
        'kspay' as side,
        number,
        currency,
        amount,
        business_on,
        payment_type,
        money_moved(family) as counts
    from shown_transaction
    union all
    select 'ledger', number, currency, amount, business_on, null, money_moved(family)
    from shown_entry
    union all
    -- A record that cannot be used is counted and adds nothing, so that a total is that of records that can be used.
    -- What is at stake in it stands with its discrepancy.
    select 'broken', broken_rank, coalesce(currency, ''), 0, business_on, null, false from broken
),

scoped as (
    select 'period' as scope, record.*
    from record
    cross join asked
    where business_on between asked.period_first and asked.period_last or (side = 'broken' and business_on is null)
    union all
    select 'carried', record.*
    from record
    inner join listed using (side, number)
    cross join asked
    where business_on < asked.period_first
),

taken as (
    select 'kspay' as side, transaction_no as number, rule
    from shown_transaction
    inner join pairings on pairings.transaction_no = shown_transaction.number and pairings.stands_for_transaction
    union all
    select 'ledger', entry_no, rule
    from shown_entry
    inner join pairings on pairings.entry_no = shown_entry.number and pairings.stands_for_entry
)

select
    scoped.*,
    taken.rule,
    case
        when scoped.side = 'broken' then 'quarantined'
        when wrong.decided then 'resolved'
        when taken.number is not null and wrong.number is not null then 'matched_with_discrepancy'
        when taken.number is not null then 'matched'
        when wrong.timing then 'timing'
        when wrong.number is not null then 'unmatched'
        else 'excluded'
    end as outcome
from scoped
left join taken using (side, number)
left join wrong using (side, number);

-- Grain: scope, side, currency, outcome, rule, payment method, and whether money moved (`counts`). `print` is a
-- fingerprint of the numbers of the records that were counted: two sets of as many records with one fingerprint are
-- the same. `matches` counts the matches whose first transaction is of the period.
create temp table tally on commit drop as
with counted as (
    select
        'period' as scope,
        'kspay' as side,
        currency,
        case when rule is null then 'excluded' else 'matched' end as outcome,
        rule,
        payment_type,
        counts,
        count(*) as records,
        sum(amount) as amount,
        bit_xor(hashint8extended(number, 0)) as print,
        count(*) filter (where pairings.transaction_no = pairings.match_no) as matches
    from period_transaction
    left join pairings on pairings.transaction_no = period_transaction.number and pairings.stands_for_transaction
    group by currency, rule, payment_type, counts
    union all
    select
        'period',
        'ledger',
        currency,
        case when rule is null then 'excluded' else 'matched' end,
        rule,
        null,
        counts,
        count(*),
        sum(amount),
        bit_xor(hashint8extended(number, 0)),
        0
    from period_entry
    left join pairings on pairings.entry_no = period_entry.number and pairings.stands_for_entry
    group by currency, rule, counts
    union all
    select
        'period',
        side,
        currency,
        case when rule is null then 'excluded' else 'matched' end,
        rule,
        payment_type,
        counts,
        -1,
        -amount,
        hashint8extended(number, 0),
        0
    from outcome
    where scope = 'period' and side <> 'broken'
    union all
    select
        scope,
        coalesce(broken.side, outcome.side),
        outcome.currency,
        outcome,
        rule,
        payment_type,
        counts,
        1,
        outcome.amount,
        case when outcome.side = 'broken' then 0 else hashint8extended(number, 0) end,
        0
    from outcome
    left join broken on outcome.side = 'broken' and broken.broken_rank = outcome.number
)

select
    scope,
    side,
    currency,
    outcome,
    rule,
    payment_type,
    counts,
    sum(records)::bigint as records,
    sum(amount) as amount,
    bit_xor(print) as print,
    sum(matches)::bigint as matches
from counted
group by scope, side, currency, outcome, rule, payment_type, counts;

-- Grain: scope, side, currency and outcome: what summary.csv shows.
create temp table summary on commit drop as
select
    scope,
    side,
    currency,
    outcome,
    sum(records)::bigint as records,
    sum(amount) as amount
from tally
group by scope, side, currency, outcome
having sum(records) <> 0;

-- Grain: one row a match with a record in the period, though its first transaction is not. Where there are many of the
-- period, they may be all there are, as in a first run.
create temp table beside on commit drop as
select distinct pairings.match_no, pairings.rule
from pairings
inner join period_entry on period_entry.number = pairings.entry_no
left join period_transaction on period_transaction.number = pairings.match_no
where
    period_transaction.number is null
    and (
        select
            sum(matches) < 50000
            or sum(matches) < (select count(*) from pairings where transaction_no = match_no and stands_for_transaction)
        from tally
    )
union
select pairings.match_no, pairings.rule
from pairings
inner join period_transaction on period_transaction.number = pairings.transaction_no
left join period_transaction as first_one on first_one.number = pairings.match_no
where pairings.transaction_no <> pairings.match_no and first_one.number is null;
