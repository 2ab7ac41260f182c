-- Grain: one row a scope, side, currency and outcome, and a total for each scope, side and currency.
-- Purpose: summary.csv. `outcomes` are all outcomes in the order of the file, `total` last.
-- Reads: result_summary
-- Makes: none

select
    scope,
    side,
    currency,
    coalesce(outcome, 'total') as outcome,
    cast(sum(records) as bigint) as count,
    sum(amount) as amount
from result_summary
group by grouping sets ((scope, side, currency, outcome), (scope, side, currency))
order by
    array_position(array['period', 'carried'], scope),
    side,
    currency collate "C",
    array_position(cast(:outcomes as text[]), coalesce(outcome, 'total'))
