-- Grain: one row a rule and currency (an empty rule where there is no match), and one a payment method and currency.
-- Purpose: How much of the period's transactions is matched, by rule and by payment method: of those by which money
-- moved or may have, which is all that are not excluded.
-- Reads: result_outcomes
-- Makes: none

select
    case when grouping(rule) = 0 then 'rule' else 'payment_method' end as by,
    coalesce(case when grouping(rule) = 0 then rule else payment_type end, '') as name,
    currency,
    sum(records)::bigint as count,
    sum(amount) as amount,
    coalesce(sum(records) filter (where rule is not null), 0)::bigint as matched,
    coalesce(sum(amount) filter (where rule is not null), 0) as matched_amount
from result_outcomes
where scope = 'period' and side = 'kspay' and outcome not in ('excluded', 'quarantined')
group by grouping sets ((rule, currency), (payment_type, currency))
having sum(records) <> 0
order by
    grouping(rule),
    coalesce(case when grouping(rule) = 0 then rule else payment_type end, '') collate "C",
    currency collate "C"
