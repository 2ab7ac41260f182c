-- Must return no rows: a record of the groups that were matched that stands in two matches, or in one with
-- a record that cannot be used.
select
    'kspay' as side,
    min(transactions.transaction_id) as record,
    count(distinct m) || ' matches' as found
from scope_pairing
inner join transactions on transactions.number = scope_pairing.t
group by t
having count(distinct m) > 1
union all
select
    'ledger',
    min(entries.ledger_id),
    count(distinct m) || ' matches'
from scope_pairing
inner join entries on entries.number = scope_pairing.e
group by e
having count(distinct m) > 1
union all
select
    'ledger',
    entries.ledger_id,
    'matched, though one of the two records cannot be used'
from (
    -- Each side by itself: "either is missing" could not be joined, and would look through all records for each.
    select e from scope_pairing where not exists (select from scope_transaction where number = scope_pairing.t)
    union
    select e from scope_pairing where not exists (select from scope_entry where number = scope_pairing.e)
) as unusable
inner join entries on entries.number = unusable.e
order by 1, 2
