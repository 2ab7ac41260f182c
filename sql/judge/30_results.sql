-- Grain: one row: how much of the period's records matches, and whether each discrepancy has an id of its own.
select
    (select count(*) from outcome where scope = 'period' and side = 'kspay' and outcome <> 'excluded') as transactions,
    (select count(*) from outcome where scope = 'period' and side = 'ledger' and outcome <> 'excluded') as entries,
    (
        select count(*) from outcome
        where scope = 'period' and side = 'kspay' and rule is not null
    ) as matched,
    (select count(*) from reported where status <> 'resolved') as discrepancies,
    (select count(distinct discrepancy_id) from reported where status <> 'resolved') as discrepancy_ids
