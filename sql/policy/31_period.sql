-- The usable records that are dated in the period. Its days are written into the views, since the planner knows only
-- of values that it sees how many rows they leave. The wide ranges are for it and its indexes; the exact one is in a
-- case, which it takes for half of the rows.
create temp view period_transaction as
select number, currency, amount, payment_type, business_on
from known_transaction
where
    created_at >= cast(:first as date) - 1 and created_at < cast(:last as date) + 2
    and case when business_on between :first and :last then true end;

create temp view period_entry as
select number, currency, amount, business_on
from known_entry
where
    coalesce(dated_on, (dated_at at time zone 'UTC')::date) between cast(:first as date) - 1 and cast(:last as date) + 1
    and case when business_on between :first and :last then true end
