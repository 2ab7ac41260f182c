-- Grain: one row an item that is open after one of these runs and has more at stake than its currency's limit.
-- Purpose: What keeps a month from being closed, where the settings say so. Information, such as timing, does not.
-- Reads: discrepancies, movements, run_bases
-- Makes: none

with recursive chain as (
    select
        app_id,
        run,
        base
    from run_bases
    where run = any(cast(:runs as integer[]))
    union all
    select
        run_bases.app_id,
        run_bases.run,
        run_bases.base
    from chain
    inner join run_bases on run_bases.app_id = chain.app_id and run_bases.run = chain.base
),

newest as (
    select distinct on (movements.discrepancy_id) movements.*
    from chain
    inner join movements using (app_id, run)
    order by movements.discrepancy_id asc, movements.run desc
),

above_limit as (
    select newest.*
    from newest
    inner join unnest(cast(:currencies as text[]), cast(:limits as numeric[])) as limits (currency, most)
        on limits.currency = newest.currency
    inner join discrepancies using (app_id, discrepancy_id)
    where newest.amount > limits.most and discrepancies.severity <> 'info'
)

select
    app_id,
    discrepancy_id,
    type,
    currency,
    amount
from above_limit
order by app_id collate "C", currency collate "C", amount desc, discrepancy_id collate "C"
