-- Grain: one row an app and currency of the discrepancies that are open after this run: how many, and what is
-- at stake.
select
    app_id,
    currency,
    count(*) as count,
    sum(amount) as amount
from open_item
group by app_id, currency
order by app_id collate "C", currency collate "C"
