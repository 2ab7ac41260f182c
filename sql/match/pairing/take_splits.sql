-- Grain: one row a record that is taken.
-- Purpose: One round of taking splits: each takes the one record and all that is left on the other side. Those by the
-- name of a transaction come first (`step`). A booking may carry several keys: of groups that share one only the first
-- by its key is taken, and the others are looked at again in the next round. Rounds repeat until none is left. What is
-- possible and what may be taken are worked out first: the planner expects few rows of such joins, and would begin with
-- the currency alone, all records with all.
-- Reads: pass, possible_split, split_txn, split_unit
-- Makes: taken_txn, taken_unit

with possible as materialized (
    select *
    from possible_split
),

fitting as materialized (
    select *
    from possible
    where step = (select min(step) from possible)
),

carried_txn as materialized (
    select step, app_id, key, currency, transaction_rank
    from split_txn
),

carried_unit as materialized (
    select step, app_id, key, currency, entry_rank
    from split_unit
),

part as materialized (
    select
        fitting.way,
        fitting.one,
        app_id,
        key,
        currency,
        carried_unit.entry_rank
    from fitting
    inner join carried_unit using (step, app_id, key, currency)
),

now_taken as materialized (
    select *
    from fitting
    where not exists (
            select
            from part as own
            inner join part as earlier using (entry_rank)
            where
                (own.app_id, own.key, own.currency) = (fitting.app_id, fitting.key, fitting.currency)
                and earlier.key collate "C" < own.key collate "C"
        )
),

now_txn as materialized (
    select
        now_taken.way,
        now_taken.one,
        app_id,
        key,
        currency,
        carried_txn.transaction_rank
    from now_taken
    inner join carried_txn using (step, app_id, key, currency)
    where now_taken.way = 2 or carried_txn.transaction_rank = now_taken.one
),

match as (
    select
        app_id,
        key,
        currency,
        min(transaction_rank) as match_rank
    from now_txn
    group by app_id, key, currency
),

taken as (
    insert into taken_txn
    select
        now_txn.transaction_rank,
        match.match_rank,
        (select rule from pass)
    from now_txn
    inner join match using (app_id, key, currency)
)

insert into taken_unit
select
    part.entry_rank,
    match.match_rank,
    (select rule from pass)
from part
inner join match using (app_id, key, currency)
where part.way = 1 or part.entry_rank = part.one;
