-- Grain: one row a currency: the matches of which the ledger has taken off the expected fee, and those that the
-- tolerance let pass.
-- Purpose: What the amounts of the matches differ by without a discrepancy. `tolerated` are the differences, KS Pay
-- less ledger, and `tolerated_either_way` the same without their signs.
-- Reads: result_allowed
-- Makes: none

select
    currency,
    count(fee) as fee_matches,
    coalesce(sum(fee), 0) as fees,
    count(*) filter (where tolerated <> 0) as tolerated_matches,
    sum(tolerated) as tolerated,
    sum(abs(tolerated)) as tolerated_either_way
from result_allowed
group by currency
order by currency collate "C"
