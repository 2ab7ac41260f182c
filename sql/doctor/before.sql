-- Grain: `findings_before`: one row a finding; `standing_before`: one row a pair that does not represent both of its
-- records.
-- Purpose: Keeps a copy of what is remembered, to compare it with what matching everything again gives.
-- Reads: findings, pairings
-- Makes: findings_before, standing_before

create temp table findings_before on commit drop as
select * from findings;

create temp table standing_before on commit drop as
select transaction_no, entry_no, stands_for_transaction, stands_for_entry
from pairings
where not (stands_for_transaction and stands_for_entry);
