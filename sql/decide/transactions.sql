-- Grain: one row a named transaction and transaction of its match; one without a match is alone in it.
-- Purpose: The transactions that a `match` decision joins.
-- Reads: known_transaction, pairings
-- Makes: none

with named as (
    select app_id, number, transaction_id
    from known_transaction
    where app_id = any(:app_ids) and transaction_id = any(:ids)
),

matched as (
    select named.number, pairings.transaction_no
    from named
    inner join pairings as own on own.app_id = named.app_id and own.transaction_no = named.number
    inner join pairings as of_lowest on of_lowest.app_id = own.app_id and of_lowest.transaction_no = own.match_no
    inner join pairings on pairings.app_id = of_lowest.app_id and pairings.entry_no = of_lowest.entry_no
    union
    select number, number
    from named
),

mate as (
    select named.app_id, named.transaction_id as named, held.transaction_id, held.currency, held.facts
    from matched
    inner join named using (number)
    inner join known_transaction as held on held.app_id = named.app_id and held.number = matched.transaction_no
)

select app_id, named, transaction_id, currency, facts
from mate
order by transaction_id collate "C"
