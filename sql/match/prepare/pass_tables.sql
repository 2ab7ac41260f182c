-- Grain: `free_txn`: one row a transaction that may be taken; `free_unit`: one row a unit that may be taken;
-- `split_txn`, `split_unit`: one row a key of such a record.
-- Purpose: What the passes share. `taken_txn` and `taken_unit` hold what is matched: `match_rank` is the match, the
-- lowest transaction number in it. `free_txn` and `free_unit` are what the running `pass` may still use: first paid,
-- refunded and unknown transactions (phase 1), then the rest, so that a failed try never takes an entry that a paid one
-- of its reference claims. `split_txn` and `split_unit` are those of them that a rule may add up, by the keys that hold
-- them together: first (`step`) the entries that name one transaction, then the records of one reference. Failed and
-- cancelled records do not count there. `split_txn_sum` and `split_unit_sum` add them up, for both rules that do so.
-- Reads: txn, unit, unit_key
-- Makes: free_txn, free_unit, pass, split_txn, split_txn_sum, split_unit, split_unit_sum, taken_txn, taken_unit

-- One row: the pass that is running.
create temp table pass (phase integer, rule text) on commit drop;

insert into pass values (null, null);

create temp table taken_txn (
    transaction_rank bigint primary key, match_rank bigint not null, rule text not null
) on commit drop;

create temp table taken_unit (
    entry_rank bigint primary key, match_rank bigint not null, rule text not null
) on commit drop;

create temp view free_txn as
select txn.*
from txn
inner join pass
    on pass.phase = case when money_moved(txn.family) then 1 else 2 end
where not exists (select from taken_txn where taken_txn.transaction_rank = txn.transaction_rank);

create temp view free_unit as
select unit.*
from unit
where not exists (select from taken_unit where taken_unit.entry_rank = unit.entry_rank);

create temp view split_txn as
select
    carried.step,
    app_id,
    carried.key,
    currency,
    transaction_rank,
    amount,
    fee,
    family,
    business_on,
    tolerance_fixed,
    tolerance_percent
from free_txn
cross join lateral (values (1, transaction_id), (2, ref_key)) as carried (step, key)
where carried.key is not null and family not in ('failed', 'cancelled');

create temp view split_unit as
select
    case unit_key.kind when 'transaction_id' then 1 else 2 end as step,
    unit_key.app_id,
    unit_key.key,
    currency,
    entry_rank,
    amount,
    family,
    business_on
from free_unit
inner join unit_key using (entry_rank)
where unit_key.kind in ('transaction_id', 'reference') and family <> 'cancelled';

-- Grain: one row a step, key and currency: what all that may be added up there comes to.
create temp view split_txn_sum as
select
    step,
    app_id,
    key,
    currency,
    count(*) as records,
    sum(amount) as amount,
    sum(fee) as fee,
    min(transaction_rank) as first_rank,
    min(business_on) as first_on,
    array_agg(distinct family) as families,
    tolerance_of(max(tolerance_fixed), max(tolerance_percent), sum(amount)) as tolerance
from split_txn
group by step, app_id, key, currency;

create temp view split_unit_sum as
select
    step,
    app_id,
    key,
    currency,
    count(*) as records,
    sum(amount) as amount,
    min(entry_rank) as first_rank,
    min(business_on) as first_on,
    array_agg(distinct family) as families
from split_unit
group by step, app_id, key, currency;
