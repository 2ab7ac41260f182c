-- Grain: one row a currency and line of the bridge from the KS Pay total of the period to its ledger total.
-- Purpose: The bridge, for run.json. `lines` are all lines in their order.
-- Reads: result_bridge
-- Makes: none

select
    currency,
    line,
    records as count,
    amount
from result_bridge
where currency <> '' or amount <> 0
order by currency collate "C", array_position(cast(:lines as text[]), line)
