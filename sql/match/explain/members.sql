-- Grain: one record of the match that the record stands in now.
with own as (
    select m
    from pairings
    where (:side = 'kspay' and t = :number) or (:side = 'ledger' and e = :number)
    limit 1
),

member as (
    select pairings.e from own inner join pairings on pairings.t = own.m
)

select 'ledger' as side, entries.source || ':' || entries.ledger_id as record
from member
inner join entries on entries.number = member.e
union
select 'kspay', transactions.transaction_id
from member
inner join pairings using (e)
inner join transactions on transactions.number = pairings.t
order by side, record
