-- Grain: one row a record that is known and usable (`usable_transaction`, `usable_entry`), one a quarantined record
-- (`unusable`).
-- Purpose: The one place where a status gets its family and a record its business date. `known_transaction` and
-- `known_entry` also have `facts`, which change with everything that a decision rests on: amount, currency, family,
-- business date, keys. They take longer to work out than all the rest. Settings are read in scalar subqueries and never
-- joined: so each is worked out once a statement, also where several processes of the server share the work, and the
-- planner's estimates stay as they are. A status is looked up as it is written first: most are written in the very
-- letters of the settings. Then it is looked up as every database folds case, and last as this one does: a Turkish one
-- does not fold I to i.
-- Reads: entries, policy, quarantine, runs, status_family, tolerance, transactions
-- Makes: covered, known_entry, known_transaction, side_key, unusable, usable_entry, usable_transaction

create temp view usable_transaction as
select
    held.*,
    coalesce(
        (select jsonb_object_agg(status, family) from status_family where side = 'kspay') ->> held.status,
        (select jsonb_object_agg(status, family) from status_family where side = 'kspay')
        ->> lower(btrim(held.status) collate "C"),
        (select jsonb_object_agg(status, family) from status_family where side = 'kspay') ->> lower(btrim(held.status)),
        (select jsonb_object_agg(status, family) from status_family where side = 'kspay')
        ->> translate(lower(btrim(held.status)), E' -_\t\u00a0', ''),
        'unknown'
    ) as family,
    business_date(held.created_at, (select timezone from policy)) as business_on,
    coalesce(
        ((select jsonb_object_agg(currency, fixed::text) from tolerance) ->> held.currency)::numeric,
        (select tolerance_fixed from policy)
    ) as tolerance_fixed,
    coalesce(
        ((select jsonb_object_agg(currency, percent::text) from tolerance) ->> held.currency)::numeric,
        (select tolerance_percent from policy)
    ) as tolerance_percent,
    case
        when (select fees is not null from policy)
            then expected_fee(
                    (select fees from policy),
                    held.payment_type,
                    held.currency,
                    held.amount,
                    business_date(held.created_at, (select timezone from policy))
                )
    end as fee
from transactions as held
where
    held.app_id = any((select app_ids from policy)::text[])
    and not exists (
        select from quarantine
        where
            quarantine.app_id = held.app_id and quarantine.side = 'kspay'
            and quarantine.record_id = held.transaction_id
    );

create temp view known_transaction as
select
    known.*,
    letters(
        jsonb_build_array(
            transaction_id, trim_scale(amount)::text, currency, family, business_on, reference, provider_order_id,
            provider_txn_id
        ),
        20
    ) as facts
from usable_transaction as known;

create temp view usable_entry as
select
    held.*,
    coalesce(
        (select jsonb_object_agg(status, family) from status_family where side = 'ledger') ->> held.status,
        (select jsonb_object_agg(status, family) from status_family where side = 'ledger')
        ->> lower(btrim(held.status) collate "C"),
        (select jsonb_object_agg(status, family) from status_family where side = 'ledger')
        ->> lower(btrim(held.status)),
        (select jsonb_object_agg(status, family) from status_family where side = 'ledger')
        ->> translate(lower(btrim(held.status)), E' -_\t\u00a0', ''),
        'unknown'
    ) as family,
    coalesce(held.dated_on, business_date(held.dated_at, (select timezone from policy))) as business_on,
    coalesce(
        ((select jsonb_object_agg(currency, fixed::text) from tolerance) ->> held.currency)::numeric,
        (select tolerance_fixed from policy)
    ) as tolerance_fixed,
    coalesce(
        ((select jsonb_object_agg(currency, percent::text) from tolerance) ->> held.currency)::numeric,
        (select tolerance_percent from policy)
    ) as tolerance_percent
from entries as held
where
    held.app_id = any((select app_ids from policy)::text[])
    and not held.withdrawn
    and not exists (
        select from quarantine
        where
            quarantine.app_id = held.app_id and quarantine.side = 'ledger'
            and quarantine.source = held.source and quarantine.record_id = held.ledger_id
    );

create temp view known_entry as
select
    known.*,
    letters(
        jsonb_build_array(
            source, ledger_id, trim_scale(amount)::text, currency, family, business_on, reference, transaction_id,
            provider_order_id, provider_txn_id
        ),
        20
    ) as facts
from usable_entry as known;

create temp view unusable as
select
    held.*,
    coalesce(held.record_id, held.content) as known_by,
    coalesce(held.dated_on, business_date(held.dated_at, policy.timezone)) as business_on
from quarantine as held
cross join policy
where held.app_id = any(policy.app_ids);

-- Grain: one row a key that a record carries. The transactions' provider ids count only where the ledger has any.
create temp view side_key as
select 'kspay' as side, app_id, 'reference' as kind, reference as key from transactions
union all
select 'ledger', app_id, 'reference', reference from entries where not withdrawn
union all
select 'kspay', app_id, 'comparable', comparable from transactions
union all
select 'ledger', app_id, 'comparable', comparable from entries where not withdrawn
union all
select 'ledger', app_id, 'transaction_id', transaction_id from entries where not withdrawn
union all
select 'ledger', app_id, 'provider_order_id', provider_order_id from entries where not withdrawn
union all
select 'ledger', app_id, 'provider_txn_id', provider_txn_id from entries where not withdrawn
union all
select 'kspay', app_id, 'provider_order_id', provider_order_id
from transactions
where exists (select from entries where provider_order_id is not null)
union all
select 'kspay', app_id, 'provider_txn_id', provider_txn_id
from transactions
where exists (select from entries where provider_txn_id is not null);

-- The periods of the runs that finished, by app: the days that are covered.
create temp table covered on commit drop as
select distinct
    app_id,
    period_first,
    period_last
from runs
cross join unnest(apps) as app_id
where command = 'run' and state = 'finished';

-- A table that was never analysed is taken for hundreds of rows, and every join with it for hundreds of times too many.
analyze policy;
analyze status_family;
analyze tolerance;
analyze covered;
analyze discrepancy_type;
