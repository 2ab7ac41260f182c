-- Grain: one row a scope, side, currency and outcome, and a total for each scope, side and currency.
-- Purpose: summary.csv.
-- Reads: result_summary
-- Makes: none

select
    scope,
    side,
    currency,
    coalesce(outcome, 'total') as outcome,
    sum(records)::bigint as count,
    sum(amount) as amount
from result_summary
group by grouping sets ((scope, side, currency, outcome), (scope, side, currency))
order by
    array_position(array['period', 'carried'], scope),
    side,
    currency collate "C",
    array_position(
        array[
            'matched', 'matched_with_discrepancy', 'unmatched', 'timing', 'excluded', 'resolved', 'quarantined',
            'total'
        ],
        coalesce(outcome, 'total')
    )
