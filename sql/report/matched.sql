-- Grain: one row a match with a record dated in the period, in the order of the file.
with shared_id as (
    select app_id, ledger_id
    from entry
    group by app_id, ledger_id
    having count(*) > 1
),

shown as (
    select m
    from dated
    inner join member using (side, number)
    cross join policy
    where dated.business_on between policy.period_first and policy.period_last
    group by m
),

ids as (
    select
        member.m,
        string_agg(member.record_id, ';' order by member.record_id collate "C") filter (where member.side = 'kspay')
            as transaction_ids,
        string_agg(
            shown_as.id, ';' order by shown_as.id collate "C"
        ) filter (where member.side = 'ledger') as ledger_ids
    from member
    inner join shown using (m)
    left join shared_id
        on shared_id.app_id = member.app_id and shared_id.ledger_id = member.record_id
    cross join lateral (
        select
            case
                when shared_id.ledger_id is null then member.record_id else member.source || ':' || member.record_id
            end as id
    ) as shown_as
    group by member.m
)

select
    match.match_id,
    match.rule,
    ids.transaction_ids,
    ids.ledger_ids,
    match.currency,
    match.kspay_currency,
    match.ledger_currency,
    match.kspay_amount,
    match.ledger_amount,
    case when match.same_currency then match.kspay_amount - match.ledger_amount end as variance,
    match.kspay_on as kspay_date,
    match.ledger_on as ledger_date
from match
inner join ids using (m)
order by match.kspay_on, match.match_id collate "C"
