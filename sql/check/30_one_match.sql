-- Must return no rows: a record of the groups that were matched that stands in two matches, or in one with
-- a record that cannot be used; or a pair that stands for a record beside another.
with pair as (
    select
        t,
        e,
        m,
        count(*) filter (where of_t) over (partition by t) as of_t,
        min(m) over (partition by t) <> m as several_of_t
    from scope_pairing
),

pair_of_e as (
    select
        e,
        count(*) filter (where of_e) over (partition by e) as of_e,
        min(m) over (partition by e) <> m as several_of_e
    from scope_pairing
)

select distinct
    'kspay' as side,
    transactions.transaction_id as record,
    'several matches' as found
from pair
inner join transactions on transactions.number = pair.t
where pair.several_of_t or pair.of_t <> 1
union all
select distinct
    'ledger',
    entries.ledger_id,
    'several matches'
from pair_of_e
inner join entries on entries.number = pair_of_e.e
where pair_of_e.several_of_e or pair_of_e.of_e <> 1
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
