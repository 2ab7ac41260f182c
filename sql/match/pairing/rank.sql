-- Grain: one row a possible pair of the pass, ranked: families that agree first, then the smaller amount
-- difference, the nearer business date, and the ids by code points, so that no two pairs ever tie. In
-- `reference_differs`, before all these: an equal currency. Change the order and `reconcile.replay.why` with it.

create temp table candidate on commit drop as
select
    pair.t,
    pair.e,
    row_number() over (
        order by
            (select rule from pass) = 'reference_differs' and txn.currency <> unit.currency,
            (txn.family, unit.family) not in (select kspay, ledger from agreeing),
            abs(txn.amount - unit.amount),
            abs(txn.business_on - unit.business_on),
            pair.t,
            pair.e
    ) as rank
from possible_pair as pair
inner join txn using (t)
inner join unit using (e);

analyze candidate (t, e);
