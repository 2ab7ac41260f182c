-- Grain: one row.
-- Purpose: How much of the period's records is matched, and whether each discrepancy has an id of its own.
-- Reads: result_outcomes, result_reported
-- Makes: none

with paid as (
    select side, sum(records) as records, sum(records) filter (where rule is not null) as matched
    from result_outcomes
    where scope = 'period' and outcome not in ('excluded', 'quarantined')
    group by side
)

select
    coalesce((select records from paid where side = 'kspay'), 0)::bigint as transactions,
    coalesce((select records from paid where side = 'ledger'), 0)::bigint as entries,
    coalesce((select matched from paid where side = 'kspay'), 0)::bigint as matched,
    (select count(*) from result_reported where status <> 'resolved') as discrepancies,
    (select count(distinct discrepancy_id) from result_reported where status <> 'resolved') as discrepancy_ids
