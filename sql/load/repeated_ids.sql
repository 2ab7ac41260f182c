-- Grain: one row an id of the ledger that several staged rows have.
-- Purpose: Nearly every id comes once: only the others are compared with one another, by load/same_ids.
-- Reads: staged_entries
-- Makes: repeated

analyze staged_entries;

create temp table repeated on commit drop as
with found_again as (
    select hashtextextended(ledger_id, 0) as hash
    from staged_entries
    group by hashtextextended(ledger_id, 0)
    having count(*) > 1
)

select app_id, source, ledger_id
from staged_entries
where hashtextextended(ledger_id, 0) in (select hash from found_again)
group by app_id, source, ledger_id
having count(*) > 1;
