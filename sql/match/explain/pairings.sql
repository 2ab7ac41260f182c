-- Grain: one record of the other side that a record was ever paired with, and when; the oldest first.
-- Purpose: If a match has several records on the record's own side, every record of the other side counts. `match`
-- names it as `explain --json` does: by the lowest transaction id in it.
-- Reads: entries, pairing_versions, pairings, runs, transactions
-- Makes: none

with own as (
    select app_id, transaction_no, entry_no, match_no, rule, made_by, null::integer as undone_by
    from pairings
    where (:side = 'kspay' and transaction_no = :number) or (:side = 'ledger' and entry_no = :number)
    union all
    select app_id, transaction_no, entry_no, match_no, rule, made_by, undone_by
    from pairing_versions
    where (:side = 'kspay' and transaction_no = :number) or (:side = 'ledger' and entry_no = :number)
),

named as (
    select distinct
        case :side when 'kspay' then entry_label(entries.source, entries.ledger_id) else mate.transaction_id end
            as mate,
        lowest.transaction_id as match,
        own.rule,
        maker.run_id as made_by,
        ender.run_id as undone_by,
        maker.started_at as made_at,
        own.made_by as made_number,
        own.undone_by is null as stands
    from own
    inner join transactions as mate on mate.app_id = own.app_id and mate.number = own.transaction_no
    inner join transactions as lowest on lowest.app_id = own.app_id and lowest.number = own.match_no
    inner join entries on entries.app_id = own.app_id and entries.number = own.entry_no
    left join runs as maker on maker.number = own.made_by
    left join runs as ender on ender.number = own.undone_by
)

select *
from named
order by made_number, stands, mate
