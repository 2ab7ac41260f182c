-- Grain: one row a record that is dated in the period.
-- Purpose: The usable records that are dated in the period. `counts` says whether money moved, or nobody knows. The
-- days are written into the views as values, because the planner can estimate only with values that it sees. The wide
-- ranges are for the planner and its indexes. The exact range is in a case, which the planner takes for half of the
-- rows. A time zone is looked at only near the ends of the period, because that takes longer than all else: no business
-- date is further than a day from that of UTC.
-- Reads: entries, known_entry, known_transaction, policy, quarantine, transactions
-- Makes: held_record, period_entry, period_transaction

create temp view period_transaction as
select number, app_id, transaction_id, currency, amount, payment_type, business_on, money_moved(family) as counts
from known_transaction
where
    created_at >= cast(:first as date) - 1 and created_at < cast(:last as date) + 2
    and case
        when created_at >= cast(:first as date) + 1 and created_at < cast(:last as date) then true
        when business_on between :first and :last then true
    end;

create temp view period_entry as
select number, currency, amount, business_on, money_moved(family) as counts
from known_entry
where
    coalesce(dated_on, cast((dated_at at time zone 'UTC') as date))
    between cast(:first as date) - 1 and cast(:last as date) + 1
    and case
        when
            coalesce(dated_on, cast((dated_at at time zone 'UTC') as date))
            between cast(:first as date) + 1 and cast(:last as date) - 1
            then true
        when business_on between :first and :last then true
    end;

-- What the tables hold for these days and is not in quarantine, for the check of the outcomes: worked out without the
-- views above, but by the same formula of the day, since a midnight that comes twice is no instant to compare with.
create temp view held_record as
select 'kspay' as side, number, transaction_id as record, currency, amount
from transactions
where
    app_id = any(cast((select app_ids from policy) as text[]))
    and created_at >= cast(:first as date) - 2 and created_at < cast(:last as date) + 3
    and case
        when created_at >= cast(:first as date) + 1 and created_at < cast(:last as date) then true
        when cast((created_at at time zone (select timezone from policy)) as date) between :first and :last then true
    end
    and not exists (
        select from quarantine
        where
            quarantine.side = 'kspay' and quarantine.app_id = transactions.app_id
            and quarantine.record_id = transactions.transaction_id
    )
union all
select 'ledger', number, ledger_id, currency, amount
from entries
where
    app_id = any(cast((select app_ids from policy) as text[]))
    and not withdrawn
    and coalesce(dated_on, cast((dated_at at time zone 'UTC') as date))
    between cast(:first as date) - 2 and cast(:last as date) + 2
    and case
        when
            coalesce(dated_on, cast((dated_at at time zone 'UTC') as date))
            between cast(:first as date) + 1 and cast(:last as date) - 1
            then true
        when
            coalesce(dated_on, cast((dated_at at time zone (select timezone from policy)) as date))
            between :first and :last
            then true
    end
    and not exists (
        select from quarantine
        where
            quarantine.side = 'ledger' and quarantine.app_id = entries.app_id
            and quarantine.source = entries.source and quarantine.record_id = entries.ledger_id
    )
