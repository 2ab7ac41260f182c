-- Grain: `outcome`: one row a record of which something may be wrong; `tally`: one row a scope, side, currency,
-- outcome, rule, payment method and `counts`; `agreeing`: one row a group of pairs of the period that agree;
-- `not_agreeing`: one row a record of the period that is in no such pair; `outside_match`: one row a match.
-- Purpose: What became of the records of the period, and of the earlier ones that the report lists (`scope` carried):
-- each has exactly one outcome. It depends on all that is wrong with a record by the as-of day, not only on what is
-- reported. Nearly all records are matched and nothing is wrong with them: they are only counted (`tally`). Records
-- with which something may be wrong have a row each (`outcome`), and are taken out of that count. Nearly all matches
-- are one transaction and one entry, both of the period and of one amount: they are looked at once, all together
-- (`agreeing`). The next files look only at the few others (`not_agreeing`).
-- Reads: asked, broken, found_status, involved, pairings, period_entry, period_transaction, reported, shown_entry,
-- shown_transaction
-- Makes: agreeing, not_agreeing, outcome, outside_match, summary, tally, wrong

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
),

with_outcome as (
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
    left join wrong using (side, number)
)

select *
from with_outcome;

-- Else the bridge would compare each of thousands of unmatched records with each on a night that brings few.
analyze outcome (side, number, scope, outcome, rule);

-- Grain: currency, payment method, rule and whether money moved on either side, of the pairs of the period that agree:
-- the only transaction and the only entry of their match, both of the period, of one currency and amount. The two
-- fingerprints are of the numbers of each side's records. Of what does not agree, only the numbers of the records
-- count.
create temp table agreeing on commit drop as
-- With the entry of a match of one and one; any other match counts as none here.
with kspay as (
    select period_transaction.*, pairings.entry_no, pairings.rule
    from period_transaction
    left join pairings
        on
            pairings.transaction_no = period_transaction.number
            and pairings.stands_for_transaction and pairings.stands_for_entry
            and pairings.match_no not in (
                select match_no from pairings where not (stands_for_transaction and stands_for_entry)
            )
),

joined as (
    select
        kspay.number as transaction_no,
        kspay.currency,
        kspay.amount,
        kspay.payment_type,
        kspay.counts as kspay_counts,
        kspay.rule,
        ledger.number as entry_no,
        ledger.counts as ledger_counts,
        coalesce(kspay.currency = ledger.currency and kspay.amount = ledger.amount, false) as agrees
    from kspay
    full join period_entry as ledger on ledger.number = kspay.entry_no
)

select
    agrees,
    currency,
    payment_type,
    rule,
    kspay_counts,
    ledger_counts,
    count(*) as pairs,
    sum(amount) as amount,
    bit_xor(hashint8extended(transaction_no, 0)) as kspay_fingerprint,
    bit_xor(hashint8extended(entry_no, 0)) as ledger_fingerprint,
    array_agg(transaction_no) filter (where not agrees and transaction_no is not null) as transactions,
    array_agg(entry_no) filter (where not agrees and entry_no is not null) as entries
from joined
group by agrees, currency, payment_type, rule, kspay_counts, ledger_counts;

-- Grain: one row a record of the period that is in no pair that agrees; with its match, if it has one. Looked up by
-- arrays of numbers, as in prepare/records.
create temp table not_agreeing on commit drop as
select
    'kspay' as side,
    held.number,
    held.currency,
    held.amount,
    held.payment_type,
    held.counts,
    pairings.rule,
    pairings.match_no
from period_transaction as held
left join pairings on pairings.transaction_no = held.number and pairings.stands_for_transaction
where held.number = any(array(select unnest(transactions) from agreeing))
union all
select 'ledger', held.number, held.currency, held.amount, null, held.counts, pairings.rule, pairings.match_no
from period_entry as held
left join pairings on pairings.entry_no = held.number and pairings.stands_for_entry
where held.number = any(array(select unnest(entries) from agreeing));

analyze not_agreeing (side, number, match_no);

-- Grain: scope, side, currency, outcome, rule, payment method, and whether money moved (`counts`). `fingerprint` is of
-- the numbers of the records that were counted: two sets of as many records with one fingerprint are the same.
-- `matches` counts the matches whose first transaction is of the period.
create temp table tally on commit drop as
with counted as (
    select
        'period' as scope,
        'kspay' as side,
        currency,
        'matched' as outcome,
        rule,
        payment_type,
        kspay_counts as counts,
        pairs as records,
        amount,
        kspay_fingerprint as fingerprint,
        pairs as matches
    from agreeing
    where agrees
    union all
    select 'period', 'ledger', currency, 'matched', rule, null, ledger_counts, pairs, amount, ledger_fingerprint, 0
    from agreeing
    where agrees
    union all
    select
        'period',
        side,
        currency,
        case when rule is null then 'excluded' else 'matched' end,
        rule,
        payment_type,
        counts,
        1,
        amount,
        hashint8extended(number, 0),
        case when side = 'kspay' and number = match_no then 1 else 0 end
    from not_agreeing
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
    bit_xor(fingerprint) as fingerprint,
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

-- Grain: one row a match with a record in the period, though its first transaction is not.
create temp table outside_match on commit drop as
select distinct match_no, rule
from not_agreeing
where match_no is not null and match_no not in (select number from not_agreeing where side = 'kspay');
