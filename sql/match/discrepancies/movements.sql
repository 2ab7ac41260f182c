-- Grain: `open_item`: one row a discrepancy that is open after this run.
-- Purpose: The amount at stake is the difference where the amount, or what was given back, is wrong, else the amount of
-- the record, KS Pay's first. It is 0 if the amounts are of two currencies, or of a record that cannot be used and of
-- which it cannot be read. Then writes how these items differ from those of the run that this one follows.
-- Reads: asked, movements, policy, reported, reported_row, run_bases
-- Makes: known_item, movements, open_item, run_bases

create temp table open_item on commit drop as
with reported_open as (
    select
        reported_row.*,
        reported.aspect,
        coalesce(kspay_currency, ledger_currency, currency, '') like '%;%' as several
    from reported_row
    inner join reported using (discrepancy_id)
    where reported_row.status <> 'resolved'
)

select
    discrepancy_id,
    app_id,
    type,
    severity,
    facts,
    status,
    case when several then '' else coalesce(kspay_currency, ledger_currency, currency, '') end as currency,
    case
        when several then 0
        when aspect = 'amount' and difference is not null then abs(difference)
        when type = 'REFUND_MISMATCH' then abs(coalesce(kspay_refunded, 0) - ledger_refunded)
        else abs(coalesce(kspay_amount, ledger_amount, 0))
    end as amount
from reported_open;

insert into run_bases (run, app_id, as_of, base)
select
    asked.run_number,
    app_id,
    asked.period_last,
    (
        select earlier.run
        from run_bases as earlier
        where earlier.app_id = apps.app_id and earlier.as_of <= asked.period_last
        order by earlier.as_of desc, earlier.run desc
        limit 1
    )
from asked
cross join policy
cross join unnest(policy.app_ids) as apps (app_id);

create temp table known_item on commit drop as
with recursive chain as (
    select
        run_bases.app_id,
        run_bases.base as run
    from run_bases
    inner join asked on asked.run_number = run_bases.run
    union all
    select
        run_bases.app_id,
        run_bases.base
    from chain
    inner join run_bases using (app_id, run)
),

movement_of_chain as (
    select movements.*
    from chain
    inner join movements using (app_id, run)
)

select distinct on (discrepancy_id) *
from movement_of_chain
order by discrepancy_id asc, run desc;

insert into movements (run, discrepancy_id, app_id, kind, type, facts, currency, amount)
select
    asked.run_number,
    discrepancy_id,
    coalesce(item.app_id, held.app_id),
    case
        when held.amount is not null and item.amount is not null then 'changed'
        when item.amount is not null and held.run is null and item.status = 'open' then 'new'
        when item.amount is not null then 'reopened'
        when exists (
                select from reported
                where reported.discrepancy_id = held.discrepancy_id and reported.status = 'resolved'
            ) then 'resolved'
        else 'cleared'
    end,
    coalesce(item.type, held.type),
    coalesce(item.facts, held.facts),
    item.currency,
    item.amount
from open_item as item
full join known_item as held using (discrepancy_id)
cross join asked
where
    (item.amount is not null or held.amount is not null)
    and (item.facts, item.currency, item.amount) is distinct from (
        case when held.amount is not null then held.facts end, held.currency, held.amount
    );
