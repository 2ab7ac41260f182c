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
from scope_pairing
inner join entries on entries.number = scope_pairing.e
where
    scope_pairing.t not in (select number from scope_transaction)
    or scope_pairing.e not in (select number from scope_entry)
order by 1, 2
