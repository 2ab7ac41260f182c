-- Grain: `free_txn`: one row a transaction that may be taken; `free_unit`: one row a unit that may be taken.
-- Purpose: What the passes share. `taken_txn` and `taken_unit` hold what is matched: `match_rank` is the match, the
-- lowest transaction number in it. `free_txn` and `free_unit` are what the running `pass` may still use: first paid,
-- refunded and unknown transactions (phase 1), then the rest, so that a failed try never takes an entry that a paid one
-- of its reference claims. `agreeing` are the families that go together.
-- Reads: txn, unit
-- Makes: free_txn, free_unit, pass, taken_txn, taken_unit

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
