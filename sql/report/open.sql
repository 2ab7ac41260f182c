-- Grain: one row a currency of the discrepancies that are open after this run: how many, and what is at stake.
select
    currency,
    count(*) as count,
    sum(amount) as amount
from open_item
group by currency
order by currency collate "C"
