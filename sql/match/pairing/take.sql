-- Grain: one row a record that is taken.
-- Purpose: One round of taking pairs from the top while both records are free. A pair that is the best one of both its
-- records cannot lose either of them to another pair, so all such pairs are taken at once. Rounds repeat until no pair
-- is left. The result is the same as taking one pair at a time.
-- Reads: candidate, pass
-- Makes: taken_txn, taken_unit

with best as (
    select
        transaction_rank,
        entry_rank,
        row_number() over (partition by transaction_rank order by pair_rank) as of_txn,
        row_number() over (partition by entry_rank order by pair_rank) as of_unit
    from candidate
),

taken as (
    insert into taken_txn
    select
        transaction_rank,
        transaction_rank,
        (select rule from pass)
    from best
    where of_txn = 1 and of_unit = 1
)

insert into taken_unit
select
    entry_rank,
    transaction_rank,
    (select rule from pass)
from best
where of_txn = 1 and of_unit = 1;
