-- Grain: `bridge_row`: one row a currency, line, and match or record without a match that counts in the line;
-- `bridge`: one row a currency and line, from the KS Pay total of the period to the ledger's.
-- Purpose: How the records that are dated in the period differ between the two sides. A line holds what its records
-- add to the KS Pay total on the way to the ledger total: what only KS Pay has is subtracted, what only the ledger
-- has is added, and a match adds the difference of its sides. A match counts with all its records: those that are dated
-- outside the period are subtracted again in the line `other_days`. Nearly all matches are one and one, of the period
-- and with equal amounts: they add nothing, and are not looked at one by one.
-- Reads: allowed_difference, asked, bookings, found_status, involved, not_agreeing, outcome, pairings, summary,
-- usable_entry, usable_transaction
-- Makes: bridge, bridge_row

create temp table bridge_row on commit drop as
-- Matches with a record of the period that may add something. A booking is two entries of one match.
with match_to_add as materialized (
    select distinct match_no
    from not_agreeing
    where match_no is not null
),

-- By the indexes of both numbers: there is none of `match_no`, and every pair of a match holds its lowest transaction
-- or an entry that pairs with it.
entry_to_add as materialized (
    select entry_no
    from pairings
    where transaction_no = any(array(select match_no from match_to_add))
),

pair as materialized (
    select *
    from pairings
    where entry_no = any(array(select entry_no from entry_to_add))
),

member as materialized (
    select
        pair.match_no,
        'kspay' as side,
        held.currency,
        held.amount,
        false as is_refund,
        held.business_on between asked.period_first and asked.period_last as is_inside
    from pair
    inner join usable_transaction as held on held.number = pair.transaction_no
    cross join asked
    where pair.stands_for_transaction and held.number = any(array(select transaction_no from pair))
    union all
    select
        pair.match_no,
        'ledger',
        held.currency,
        held.amount,
        bookings.entry_no is not null,
        held.business_on between asked.period_first and asked.period_last
    from pair
    inner join usable_entry as held on held.number = pair.entry_no
    left join bookings on bookings.entry_no = pair.entry_no
    cross join asked
    where pair.stands_for_entry and held.number = any(array(select entry_no from pair))
),

of_match as (
    select
        match_no,
        currency,
        sum(case when side = 'kspay' then -amount when not is_refund then amount else 0 end) as difference,
        coalesce(sum(amount) filter (where is_refund), 0) as refunds,
        coalesce(sum(case when side = 'kspay' then amount else -amount end) filter (where not is_inside), 0) as outside,
        bool_or(not is_inside) as is_outside,
        bool_or(is_refund) as is_refunded
    from member
    group by match_no, currency
),

with_line as materialized (
    select
        of_match.*,
        coalesce(allowed_difference.fee, 0) as fee,
        case
            when allowed_difference.match_no is not null then 'tolerated'
            when count(*) over (partition by of_match.match_no) > 1 then 'currencies'
            else 'amounts'
        end as line
    from of_match
    left join allowed_difference on allowed_difference.match_no = of_match.match_no
),

-- What is wrong with a record that has no match: the first of its findings.
wrong_type as (
    select
        involved.side,
        involved.number,
        min(found_status.type) as type
    from found_status
    inner join involved using (found_no)
    where found_status.match_no is null
    group by involved.side, involved.number
),

alone as (
    select
        outcome.side,
        outcome.number,
        outcome.currency,
        outcome.amount,
        case
            when bookings.entry_no is not null then 'refunds'
            when wrong_type.type = 'TIMING_DIFFERENCE' then 'timing_in_'
            when wrong_type.type like 'DUPLICATE%' then 'duplicates_in_'
            when wrong_type.type in ('MISSING_IN_LEDGER', 'MISSING_IN_KSPAY') then 'missing_in_'
            else 'statuses_in_'
        end as line
    from outcome
    left join wrong_type on wrong_type.side = outcome.side and wrong_type.number = outcome.number
    left join bookings on outcome.side = 'ledger' and bookings.entry_no = outcome.number
    where
        outcome.scope = 'period' and outcome.rule is null and outcome.outcome in ('unmatched', 'timing', 'resolved')
    union all
    select
        outcome.side,
        outcome.number,
        outcome.currency,
        outcome.amount,
        'excluded_in_'
    from outcome
    where outcome.scope = 'period' and outcome.outcome = 'excluded'
    union all
    -- A record without a match of which nothing may be wrong.
    select
        not_agreeing.side,
        not_agreeing.number,
        not_agreeing.currency,
        not_agreeing.amount,
        'excluded_in_'
    from not_agreeing
    left join outcome
        on outcome.scope = 'period' and outcome.side = not_agreeing.side and outcome.number = not_agreeing.number
    where not_agreeing.rule is null and outcome.number is null
),

counted as (
    select
        currency,
        line,
        difference + fee as amount,
        match_no,
        null::text as side,
        null::bigint as number
    from with_line
    where difference + fee <> 0
    union all
    select currency, 'fees', -fee, match_no, null, null from with_line where fee <> 0
    union all
    select currency, 'refunds', refunds, match_no, null, null from with_line where is_refunded
    union all
    select currency, 'other_days', outside, match_no, null, null from with_line where is_outside
    union all
    select
        currency,
        case
            when line = 'missing_in_' then line || case side when 'kspay' then 'ledger' else 'kspay' end
            when line like '%in\_' then line || side
            else line
        end,
        case when side = 'kspay' then -amount else amount end,
        null,
        side,
        number
    from alone
)

select *
from counted;

analyze bridge_row;

create temp table bridge on commit drop as
with line_total as (
    select currency, line, count(*) as records, sum(amount) as amount from bridge_row group by currency, line
    union all
    -- A quarantined record adds nothing; quarantine.csv has it.
    select currency, 'quarantined', sum(records), 0
    from summary
    where scope = 'period' and outcome = 'quarantined'
    group by currency
    union all
    select currency, side || '_total', sum(records), sum(amount)
    from summary
    where scope = 'period' and outcome <> 'quarantined'
    group by currency, side
)

select
    currency,
    line,
    records::bigint as records,
    amount
from line_total;
