-- Must return no rows: a record of the groups that were matched that stands in two matches, or in one with
-- a record that cannot be used; or for which not exactly one of its pairs stands. Counted first: as many records
-- in matches as pairs that stand for one, on either side. Where the counts differ, the records are looked for.
with counted as (
    select
        (select count(*) from scope_pairing where of_t) as pairs_of_t,
        (
            select count(*) from scope_transaction
            where exists (select from pairings where pairings.t = scope_transaction.number and pairings.of_t)
        ) as transactions,
        (select count(*) from scope_pairing where of_e) as pairs_of_e,
        (
            select count(*) from scope_entry
            where exists (select from pairings where pairings.e = scope_entry.number and pairings.of_e)
        ) as entries
),

wrong as (
    select pairs_of_t <> transactions or pairs_of_e <> entries as somewhere
    from counted
),

-- A further pair of a record belongs to the match of the pair that stands for it.
further as (
    select 'kspay' as side, further.t as number
    from scope_pairing as further
    left join pairings as standing on standing.t = further.t and standing.of_t and standing.m = further.m
    where not further.of_t and standing.t is null
    union
    select 'ledger', further.e
    from scope_pairing as further
    left join pairings as standing on standing.e = further.e and standing.of_e and standing.m = further.m
    where not further.of_e and standing.e is null
),

several as (
    select 'kspay' as side, t as number
    from scope_pairing
    where of_t and (select somewhere from wrong)
    group by t
    having count(*) > 1
    union all
    select 'ledger', e
    from scope_pairing
    where of_e and (select somewhere from wrong)
    group by e
    having count(*) > 1
    union all
    select side, number
    from further
),

-- Each side by itself: "either is missing" could not be joined, and would look through all records for each.
unusable as (
    select e
    from scope_pairing
    where
        (select somewhere from wrong)
        and not exists (select from scope_transaction where scope_transaction.number = scope_pairing.t)
    union
    select e
    from scope_pairing
    where
        (select somewhere from wrong)
        and not exists (select from scope_entry where scope_entry.number = scope_pairing.e)
)

select 'kspay' as side, transactions.transaction_id as record, 'several matches' as found
from several
inner join transactions on several.side = 'kspay' and transactions.number = several.number
union
select 'ledger', entries.ledger_id, 'several matches'
from several
inner join entries on several.side = 'ledger' and entries.number = several.number
union all
select 'ledger', entries.ledger_id, 'matched, though one of the two records cannot be used'
from unusable
inner join entries on entries.number = unusable.e
order by 1, 2
