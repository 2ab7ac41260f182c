-- Grain: one row a match with a record dated in the period, in the order of the file.
-- Purpose: matched.csv, each value as the text that stands in the file unless a spreadsheet would alter it. Amounts are
-- sums, dates the earliest; a booking counts as its positive entry. Nearly all matches are one and one: those are
-- joined as they are, only the others are summed. An amount that its currency cannot have, since the settings gave it
-- fewer decimals, has `?` and the currency behind it. The single matches read temporary tables only in scalar
-- subqueries, so that processes of the server share the work; what needs such a table is joined behind them.
-- Reads: bookings, currency_digits, known_entry, known_transaction, pairings, result_allowed, result_shared_ids,
-- result_single_matches, result_summed_matches
-- Makes: none

with summed_pair as materialized (
    select distinct
        transaction_no,
        entry_no,
        match_no,
        rule
    from pairings
    where
        entry_no = any(array(
            select entry_no from pairings
            where transaction_no = any(array(select match_no from result_summed_matches))
        ))
),

ledger as not materialized (
    select
        held.number,
        held.app_id,
        held.ledger_id,
        entry_label(held.source, held.ledger_id) as full_id,
        held.currency,
        case when bookings.entry_no is null then held.amount end as amount,
        case when bookings.entry_no is null then held.business_on end as business_on
    from known_entry as held
    left join bookings on bookings.entry_no = held.number
),

summed_kspay as (
    select
        match_no,
        min(app_id) as app_id,
        jsonb_agg(transaction_id order by transaction_id collate "C") as ids,
        string_agg(transaction_id, ';' order by transaction_id collate "C") as shown_ids,
        string_agg(distinct currency collate "C", ';') as currency,
        sum(amount) as amount,
        min(business_on) as business_on
    from (select distinct match_no, transaction_no from summed_pair) as members
    inner join known_transaction as kspay on kspay.number = members.transaction_no
    where kspay.number = any(array(select transaction_no from summed_pair))
    group by match_no
),

summed_ledger as (
    select
        match_no,
        jsonb_agg(full_id order by full_id collate "C") as ids,
        string_agg(shown_id, ';' order by shown_id collate "C") as shown_ids,
        string_agg(distinct currency collate "C", ';') as currency,
        sum(amount) as amount,
        min(business_on) as business_on
    from (select distinct match_no, entry_no from summed_pair) as members
    inner join (
        select
            ledger.*,
            case when shared.ledger_id is null then ledger.ledger_id else ledger.full_id end as shown_id
        from ledger
        left join result_shared_ids as shared
            on shared.app_id = ledger.app_id and shared.ledger_id = ledger.ledger_id
    ) as ledger on ledger.number = members.entry_no
    where ledger.number = any(array(select entry_no from summed_pair))
    group by match_no
),

match as (
    select
        single.match_no,
        single.rule,
        -- What `letters` makes of the ids. To build the JSON a million times would take longer than the joins.
        'M-' || translate(
            encode(
                substr(
                    sha256(
                        convert_to(
                            '[' || to_json(single.app_id) || ', [' || to_json(single.transaction_id) || '], ['
                            || to_json(ledger.full_id) || ']]',
                            'UTF8'
                        )
                    ),
                    1,
                    10
                ),
                'hex'
            ),
            '0123456789abcdef',
            'ABCDEFGHJKLMNPQR'
        ) as match_id,
        single.transaction_id as transaction_ids,
        ledger.ledger_id as ledger_ids,
        ledger.app_id,
        ledger.full_id,
        single.currency as kspay_currency,
        ledger.currency as ledger_currency,
        single.amount as kspay_amount,
        ledger.amount as ledger_amount,
        single.business_on as kspay_date,
        ledger.business_on as ledger_date
    -- Few enough tables that Postgres considers every order of joining them (join_collapse_limit).
    from result_single_matches as single
    inner join ledger on ledger.number = single.entry_no
    union all
    select
        match_no,
        members.rule,
        'M-' || letters(jsonb_build_array(kspay.app_id, kspay.ids, ledger.ids), 20),
        kspay.shown_ids,
        ledger.shown_ids,
        null,
        null,
        kspay.currency,
        ledger.currency,
        kspay.amount,
        ledger.amount,
        kspay.business_on,
        ledger.business_on
    from (select distinct match_no, rule from summed_pair) as members
    inner join summed_kspay as kspay using (match_no)
    inner join summed_ledger as ledger using (match_no)
),

-- Sorted before the texts are made, which would be sorted with them.
sorted as (
    select
        match.match_id,
        match.rule,
        match.transaction_ids,
        case when shared.ledger_id is null then match.ledger_ids else match.full_id end as ledger_ids,
        match.kspay_currency,
        match.ledger_currency,
        match.kspay_amount,
        match.ledger_amount,
        match.kspay_date,
        match.ledger_date,
        case
            when match.kspay_currency = match.ledger_currency then match.kspay_currency
            else match.kspay_currency || ';' || match.ledger_currency
        end as currency,
        case when match.kspay_currency = match.ledger_currency then match.kspay_amount - match.ledger_amount end
            as variance,
        allowed.fee,
        of_kspay.digits as kspay_digits,
        of_ledger.digits as ledger_digits
    from match
    left join result_allowed as allowed using (match_no)
    left join result_shared_ids as shared on shared.app_id = match.app_id and shared.ledger_id = match.ledger_ids
    left join currency_digits as of_kspay on of_kspay.currency = match.kspay_currency
    left join currency_digits as of_ledger on of_ledger.currency = match.ledger_currency
    order by match.kspay_date, match.match_id collate "C"
)

select
    match_id,
    rule,
    transaction_ids,
    ledger_ids,
    currency,
    case
        when min_scale(kspay_amount) > kspay_digits then kspay_amount || '?' || kspay_currency
        else round(kspay_amount, greatest(kspay_digits, min_scale(kspay_amount)))::text
    end as kspay_amount,
    case
        when min_scale(ledger_amount) > ledger_digits then ledger_amount || '?' || ledger_currency
        else round(ledger_amount, greatest(ledger_digits, min_scale(ledger_amount)))::text
    end as ledger_amount,
    case
        when min_scale(variance) > kspay_digits then variance || '?' || kspay_currency
        else round(variance, greatest(kspay_digits, min_scale(variance)))::text
    end as variance,
    kspay_date,
    ledger_date,
    round(fee, greatest(kspay_digits, min_scale(fee)))::text as fee
from sorted
order by kspay_date, match_id collate "C"
