-- Grain: one row a discrepancy that is open, with what is at stake in it.
-- Purpose: What `reconcile try` compares between two matchings, in the order of discrepancies.csv.
-- Reads: result_discrepancies, result_open_items
-- Makes: none

select
    result_discrepancies.*,
    result_open_items.currency as at_stake_currency,
    result_open_items.amount as at_stake
from result_discrepancies
inner join result_open_items using (discrepancy_id)
where result_discrepancies.status <> 'resolved'
