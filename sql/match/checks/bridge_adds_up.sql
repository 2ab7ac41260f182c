-- Grain: one row a currency that is wrong.
-- Purpose: Must return no rows. Names a currency in which the lines of the bridge do not lead from the KS Pay total of
-- the period to its ledger total.
-- Reads: bridge
-- Makes: none

select
    'ledger' as side,
    'period ' || currency as record,
    format(
        'the bridge leads from %s at KS Pay to %s, but the total is %s',
        sum(amount) filter (where line = 'kspay_total'),
        sum(amount) filter (where line <> 'ledger_total'),
        coalesce(sum(amount) filter (where line = 'ledger_total'), 0)
    ) as found
from bridge
group by currency
having
    coalesce(sum(amount) filter (where line <> 'ledger_total'), 0)
    <> coalesce(sum(amount) filter (where line = 'ledger_total'), 0)
order by record
