-- Must return no rows: a record of the groups that were matched that stands in two matches, or in one with
-- a record that cannot be used.
select
    'kspay' as side,
    transactions.transaction_id as record,
    'several matches' as found
from (
    select t from scope_pairing
    group by t
    having min(m) <> max(m)
) as several
inner join transactions on transactions.number = several.t
union all
select
    'ledger',
    entries.ledger_id,
    'several matches'
from (
    select e from scope_pairing
    group by e
    having min(m) <> max(m)
) as several
inner join entries on entries.number = several.e
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
