-- Grain: one row a currency, line of the bridge, and match or record without a match that counts in the line.
-- Purpose: bridge.csv. `lines` are all lines in their order. Of a match: all its records, the earliest day of each
-- side, and the distinct statuses. What is excluded stands last: there may be much of it, and nothing is wrong with it.
-- Reads: known_entry, known_transaction, pairings, result_bridge_rows, result_shared_ids
-- Makes: none

with first_pair as (
    select distinct pairings.match_no, pairings.entry_no
    from result_bridge_rows
    inner join pairings on pairings.transaction_no = result_bridge_rows.match_no
),

pair as materialized (
    select distinct
        pairings.match_no,
        pairings.transaction_no,
        pairings.entry_no
    from first_pair
    inner join pairings on pairings.entry_no = first_pair.entry_no
),

-- One row a record of a row of the bridge.
member as (
    select distinct
        match_no,
        'kspay' as side,
        transaction_no as number
    from pair
    union all
    select distinct match_no, 'ledger', entry_no
    from pair
    union all
    select null, side, number
    from result_bridge_rows
    where match_no is null
),

known as materialized (
    select
        member.match_no,
        'kspay' as side,
        member.number,
        held.app_id,
        held.transaction_id as id,
        held.status,
        held.business_on
    from member
    inner join known_transaction as held on held.number = member.number
    where member.side = 'kspay'
    union all
    select
        member.match_no,
        'ledger',
        member.number,
        held.app_id,
        case when shared_id.ledger_id is null then held.ledger_id else entry_label(held.source, held.ledger_id) end,
        held.status,
        held.business_on
    from member
    inner join known_entry as held on held.number = member.number
    left join result_shared_ids as shared_id on shared_id.app_id = held.app_id and shared_id.ledger_id = held.ledger_id
    where member.side = 'ledger'
),

joined as (
    select
        match_no,
        min(app_id) as app_id,
        string_agg(id, ';' order by id collate "C") filter (where side = 'kspay') as transaction_ids,
        string_agg(id, ';' order by id collate "C") filter (where side = 'ledger') as ledger_ids,
        string_agg(distinct status collate "C", ';') filter (where side = 'kspay') as kspay_status,
        string_agg(distinct status collate "C", ';') filter (where side = 'ledger') as ledger_status,
        min(business_on) filter (where side = 'kspay') as kspay_date,
        min(business_on) filter (where side = 'ledger') as ledger_date
    from known
    where match_no is not null
    group by match_no
),

shown as (
    select
        bridge.currency,
        bridge.line,
        bridge.amount,
        joined.*
    from result_bridge_rows as bridge
    inner join joined using (match_no)
    union all
    select
        bridge.currency,
        bridge.line,
        bridge.amount,
        null,
        known.app_id,
        case when known.side = 'kspay' then known.id end,
        case when known.side = 'ledger' then known.id end,
        case when known.side = 'kspay' then known.status end,
        case when known.side = 'ledger' then known.status end,
        case when known.side = 'kspay' then known.business_on end,
        case when known.side = 'ledger' then known.business_on end
    from result_bridge_rows as bridge
    inner join known on known.match_no is null and known.side = bridge.side and known.number = bridge.number
)

select *
from shown
order by
    line like 'excluded%',
    currency collate "C",
    array_position(cast(:lines as text[]), line),
    app_id collate "C",
    transaction_ids collate "C",
    ledger_ids collate "C"
