-- Grain: one row a possible pair.
-- Purpose: Deletes the pairs that lost a record to a better pair in the round before.
-- Reads: taken_txn, taken_unit
-- Makes: candidate

delete from candidate
where transaction_rank in (select transaction_rank from taken_txn) or entry_rank in (select entry_rank from taken_unit);
