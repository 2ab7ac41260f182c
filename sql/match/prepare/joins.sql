-- Grain: `joined_by_reference`: one row a transaction and entry of one reference; `joined_apart`: one row an entry and
-- the transaction that it names.
-- Purpose: Joins the records by reference, and entries with the transactions that they name.
-- Reads: crowded_keys, policy, scope_entry, scope_transaction
-- Makes: joined_apart, joined_by_reference

-- Grain: one row a transaction and entry of one reference, one a record without such a partner (the other side null).
-- Whether any reference is crowded is asked once: mostly none is.
create temp table joined_by_reference on commit drop as
with ours as (
    select
        scope_transaction.*,
        case
            when (select not exists (select from crowded_keys where kind = 'reference')) then reference
            when (app_id, reference) not in (select app_id, key from crowded_keys where kind = 'reference')
                then reference
        end as ref_key
    from scope_transaction
),

theirs as (
    select
        scope_entry.*,
        case
            when (select not exists (select from crowded_keys where kind = 'reference')) then reference
            when (app_id, reference) not in (select app_id, key from crowded_keys where kind = 'reference')
                then reference
        end as ref_key
    from scope_entry
)

select
    ours.number as transaction_no,
    theirs.number as entry_no,
    int4xor(hashtext(ours.ref_key), hashtext(ours.app_id)) as key_hash,
    theirs.transaction_id is not null as named,
    coalesce(
        ours.currency = theirs.currency
        and theirs.amount >= 0
        and (
            ours.amount = theirs.amount
            or amount_apart(ours.amount, ours.fee, theirs.amount)
            <= tolerance_of(ours.tolerance_fixed, ours.tolerance_percent, ours.amount)
        )
        -- No business date is further than a day from that of UTC, which is worked out far sooner. `business_on` would
        -- be worked out for every record before the join.
        and (
            abs((ours.created_at at time zone interval '0')::date - theirs.dated_on)
            < (select date_tolerance_days from policy)
            or abs(
                business_date(ours.created_at, (select timezone from policy))
                - coalesce(theirs.dated_on, business_date(theirs.dated_at, (select timezone from policy)))
            ) <= (select date_tolerance_days from policy)
        )
        and ours.family = theirs.family
        and ours.family in ('paid', 'refunded')
        and coalesce(theirs.transaction_id, ours.transaction_id) = ours.transaction_id,
        false
    ) as clean,
    -- Last: what stands behind a text is found more slowly in each of a million rows.
    ours.app_id
from ours
full join theirs on theirs.ref_key = ours.ref_key and theirs.app_id = ours.app_id;

-- Grain: one row an entry and the transaction that it names with another reference or none.
create temp table joined_apart on commit drop as
select
    ours.app_id,
    ours.number as transaction_no,
    theirs.number as entry_no,
    theirs.reference is null
    and ours.currency = theirs.currency
    and theirs.amount >= 0
    and (
        ours.amount = theirs.amount
        or amount_apart(ours.amount, ours.fee, theirs.amount)
        <= tolerance_of(ours.tolerance_fixed, ours.tolerance_percent, ours.amount)
    )
    and abs(ours.business_on - theirs.business_on) <= (select date_tolerance_days from policy)
    and ours.family = theirs.family
    and ours.family in ('paid', 'refunded') as clean
from scope_entry as theirs
inner join scope_transaction as ours on ours.app_id = theirs.app_id and ours.transaction_id = theirs.transaction_id
where
    theirs.transaction_id is not null
    and (
        theirs.reference is distinct from ours.reference
        or exists (
            select from crowded_keys as crowded
            where crowded.app_id = ours.app_id and crowded.kind = 'reference' and crowded.key = ours.reference
        )
    );
