-- Grain: one row a match that is wrong.
-- Purpose: Must return no rows. Names a match whose refunds contradict each other without a REFUND_MISMATCH, and one
-- that has it without cause. Worked out from the stored records alone: what the ledger gives back are the negative
-- entries of a match; KS Pay says paid, refunded, or refunded in part, which leaves open how much. Looks at the matches
-- of the matched groups that have a negative entry, and at those with the finding: few.
-- Reads: bookings, findings, pairings, policy, scope_entry, usable_entry, usable_transaction
-- Makes: none

with suspect as materialized (
    select match_no
    from pairings
    where entry_no = any(array(select number from scope_entry where amount < 0))
    union
    select findings.match_no
    from findings
    inner join policy on findings.app_id = any(policy.app_ids)
    where findings.kind = 'REFUND_MISMATCH'
),

booked as materialized (
    select distinct transaction_no as match_no, entry_no
    from pairings
    where transaction_no = any(array(select match_no from suspect))
),

charged as materialized (
    select distinct booked.match_no, pairings.transaction_no
    from booked
    inner join pairings on pairings.entry_no = booked.entry_no
    where pairings.entry_no = any(array(select entry_no from booked))
),

of_ledger as (
    select
        booked.match_no,
        coalesce(sum(-held.amount) filter (where held.amount < 0 and held.family in ('paid', 'refunded')), 0)
            as given_back,
        -- As a match counts it: of a booking its positive entry alone.
        sum(held.amount) filter (where bookings.entry_no is null) as booked,
        count(*) filter (where held.family = 'unknown') as unknown,
        min(held.currency) as lowest,
        max(held.currency) as highest
    from booked
    inner join usable_entry as held on held.number = booked.entry_no
    left join bookings on bookings.entry_no = booked.entry_no
    where held.number = any(array(select entry_no from booked))
    group by booked.match_no
),

transaction_of_match as (
    select
        charged.match_no,
        held.*,
        regexp_replace(held.status, E'[-_\\s\u00a0]', '', 'g') collate "C" ilike 'partial%' as is_partial
    from charged
    inner join usable_transaction as held on held.number = charged.transaction_no
    where held.number = any(array(select transaction_no from charged))
),

of_kspay as (
    select
        match_no,
        min(transaction_id) filter (where number = match_no) as transaction_id,
        count(*) as transactions,
        count(*) filter (where family = 'paid') as paid,
        count(*) filter (where family = 'refunded') as refunded,
        count(*) filter (where family = 'unknown') as unknown,
        count(*) filter (where family = 'refunded' and is_partial) as refunded_in_part,
        coalesce(sum(amount) filter (where family = 'refunded'), 0) as at_most,
        coalesce(sum(amount) filter (where family = 'refunded' and not is_partial), 0) as at_least,
        tolerance_of(
            max(tolerance_fixed), max(tolerance_percent), sum(amount) filter (where family = 'refunded')
        ) as tolerance,
        sum(amount) as charged,
        sum(fee) as fee,
        coalesce(sum(fee) filter (where family = 'refunded'), 0) as fee_of_refunded,
        tolerance_of(max(tolerance_fixed), max(tolerance_percent), sum(amount)) as tolerance_of_all,
        min(currency) as lowest,
        max(currency) as highest
    from transaction_of_match
    group by match_no
),

-- Of a payment that is booked less its fee, a refund may be less that fee too.
compared as (
    select
        of_kspay.*,
        of_ledger.given_back,
        of_ledger.unknown as unknown_entries,
        least(of_kspay.lowest, of_ledger.lowest) = greatest(of_kspay.highest, of_ledger.highest) as same_currency,
        case
            when
                abs(charged - fee - booked) <= tolerance_of_all and abs(charged - fee - booked) < abs(charged - booked)
                then fee_of_refunded
            else 0
        end as fee_kept
    from of_kspay
    inner join of_ledger using (match_no)
),

answered as (
    select
        match_no,
        transaction_id,
        given_back,
        at_least,
        at_most,
        given_back > 0
        and unknown + unknown_entries = 0
        and paid + refunded = transactions
        and (
            refunded = 0
            or (
                same_currency
                and case
                    when refunded_in_part = 0
                        then least(abs(at_most - given_back), abs(at_most - fee_kept - given_back)) > tolerance
                    else given_back >= at_most - fee_kept - tolerance or given_back <= at_least
                end
            )
        ) as contradicts
    from compared
),

found as (
    select number as match_no
    from findings
    where side = 'kspay' and kind = 'REFUND_MISMATCH'
),

wrong as (
    select answered.*
    from answered
    left join found using (match_no)
    where answered.contradicts <> (found.match_no is not null)
)

select
    'kspay' as side,
    transaction_id as record,
    case
        when contradicts
            then format(
                    'the ledger gives back %s, KS Pay between %s and %s, and no finding says so',
                    given_back, at_least, at_most
                )
        else format(
                'the ledger gives back %s, KS Pay between %s and %s, which agrees, and a finding says that it does not',
                given_back, at_least, at_most
            )
    end as found
from wrong
order by record
