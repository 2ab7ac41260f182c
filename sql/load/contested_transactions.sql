-- Grain: one row an id of KS Pay that several staged records have, or that a record which cannot be read has too.
-- Purpose: Nearly every id comes once: only the others are compared with one another, by load/take_in_transactions.
-- Found as load/repeated_ids finds those of a ledger.
-- Reads: staged_rejections, staged_transactions
-- Makes: contested

analyze staged_transactions;

create temp table contested on commit drop as
with found_again as (
    select hashtextextended(transaction_id, 0) as hash
    from staged_transactions
    group by hashtextextended(transaction_id, 0)
    having count(*) > 1
),

repeated as (
    select app_id, transaction_id
    from staged_transactions
    where hashtextextended(transaction_id, 0) in (select hash from found_again)
    group by app_id, transaction_id
    having count(*) > 1
)

select app_id, transaction_id
from repeated
union
select app_id, record_id
from staged_rejections
where record_id is not null;

analyze contested;
