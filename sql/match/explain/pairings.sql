-- Grain: one record of the other side that a record was ever paired with, and when; the oldest first. Of a
-- match with several records on the record's own side every record of the other side counts.
with own as (
    select t, e, m, rule, made_by, null::integer as undone_by
    from pairings
    where (:side = 'kspay' and t = :number) or (:side = 'ledger' and e = :number)
    union all
    select t, e, m, rule, made_by, undone_by
    from pairing_versions
    where (:side = 'kspay' and t = :number) or (:side = 'ledger' and e = :number)
)

select distinct
    case :side when 'kspay' then entries.source || ':' || entries.ledger_id else mate.transaction_id end as mate,
    lowest.transaction_id as m,
    own.rule,
    maker.run_id as made_by,
    ender.run_id as undone_by,
    maker.started_at as made_at,
    own.made_by as made_number,
    own.undone_by is null as stands
from own
inner join transactions as mate on mate.number = own.t
inner join transactions as lowest on lowest.number = own.m
inner join entries on entries.number = own.e
left join runs as maker on maker.number = own.made_by
left join runs as ender on ender.number = own.undone_by
order by own.made_by, stands, mate
