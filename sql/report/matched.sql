-- Grain: one row a match with a record dated in the period, in the order of the file.
-- Purpose: matched.csv. Amounts are sums, dates the earliest; a booking counts as its positive entry. Nearly all
-- matches are one and one; only the others have to be summed.
-- Reads: bookings, known_entry, known_transaction, pairings, result_matches, result_shared_ids
-- Makes: none

with pair as (
    select
        pairings.transaction_no,
        pairings.entry_no,
        pairings.match_no,
        pairings.rule,
        count(*) over (partition by pairings.match_no) as pairs
    from result_matches
    inner join pairings as first_pair on first_pair.transaction_no = result_matches.match_no
    inner join pairings on pairings.entry_no = first_pair.entry_no
),

kspay as (
    select
        number,
        app_id,
        transaction_id,
        currency,
        amount,
        business_on
    from known_transaction
    where number in (select transaction_no from pair)
),

ledger as (
    select
        held.number,
        held.app_id,
        entry_label(held.source, held.ledger_id) as full_id,
        case when shared_id.ledger_id is null then held.ledger_id else entry_label(held.source, held.ledger_id) end
            as shown_id,
        held.currency,
        case when bookings.entry_no is null then held.amount end as amount,
        case when bookings.entry_no is null then held.business_on end as business_on
    from known_entry as held
    left join bookings on bookings.entry_no = held.number
    left join result_shared_ids as shared_id on shared_id.app_id = held.app_id and shared_id.ledger_id = held.ledger_id
    where held.number in (select entry_no from pair)
),

several as (
    select distinct
        match_no,
        rule
    from pair
    where pairs > 1
),

several_kspay as (
    select
        match_no,
        min(app_id) as app_id,
        jsonb_agg(transaction_id order by transaction_id collate "C") as ids,
        string_agg(transaction_id, ';' order by transaction_id collate "C") as shown_ids,
        string_agg(distinct currency collate "C", ';') as currency,
        sum(amount) as amount,
        min(business_on) as business_on
    from (select distinct match_no, transaction_no from pair where pairs > 1) as members
    inner join kspay on kspay.number = members.transaction_no
    group by match_no
),

several_ledger as (
    select
        match_no,
        jsonb_agg(full_id order by full_id collate "C") as ids,
        string_agg(shown_id, ';' order by shown_id collate "C") as shown_ids,
        string_agg(distinct currency collate "C", ';') as currency,
        sum(amount) as amount,
        min(business_on) as business_on
    from (select distinct match_no, entry_no from pair where pairs > 1) as members
    inner join ledger on ledger.number = members.entry_no
    group by match_no
),

match as (
    select
        pair.rule,
        kspay.app_id,
        jsonb_build_array(kspay.transaction_id) as kspay_ids,
        jsonb_build_array(ledger.full_id) as ledger_full_ids,
        kspay.transaction_id as transaction_ids,
        ledger.shown_id as ledger_ids,
        kspay.currency as kspay_currency,
        ledger.currency as ledger_currency,
        kspay.amount as kspay_amount,
        ledger.amount as ledger_amount,
        kspay.business_on as kspay_date,
        ledger.business_on as ledger_date
    from pair
    inner join kspay on kspay.number = pair.transaction_no
    inner join ledger on ledger.number = pair.entry_no
    where pair.pairs = 1
    union all
    select
        several.rule,
        kspay.app_id,
        kspay.ids,
        ledger.ids,
        kspay.shown_ids,
        ledger.shown_ids,
        kspay.currency,
        ledger.currency,
        kspay.amount,
        ledger.amount,
        kspay.business_on,
        ledger.business_on
    from several
    inner join several_kspay as kspay using (match_no)
    inner join several_ledger as ledger using (match_no)
)

select
    matched.*,
    case
        when kspay_currency = ledger_currency then kspay_currency
        else kspay_currency || ';' || ledger_currency
    end as currency,
    case when kspay_currency = ledger_currency then kspay_amount - ledger_amount end as variance
from (
    select
        'M-' || letters(jsonb_build_array(app_id, kspay_ids, ledger_full_ids), 20) as match_id,
        match.*
    from match
) as matched
order by kspay_date, match_id collate "C"
