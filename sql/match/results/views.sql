-- Grain: each view says its own.
-- Purpose: What matching hands to the stages after it: they read no other temporary table of matching. A view stores
-- nothing.
-- Reads: allowed_difference, bridge, bridge_row, broken, discrepancy_type, involved, open_item, outside_match,
-- pairings, period_transaction, reported, reported_row, shared_id, summary, tally
-- Makes: result_allowed, result_bridge, result_bridge_rows, result_discrepancies, result_open_items, result_outcomes,
-- result_quarantine, result_reported, result_shared_ids, result_single_matches, result_summary, result_summed_matches,
-- result_unusable

-- Grain: one row a reported discrepancy, open or resolved, with the facts of its records, in the order of the files.
create temp view result_discrepancies as
select reported_row.*
from reported_row
inner join discrepancy_type using (type)
order by
    array_position(
        (select array_agg(severity order by severity_rank) from discrepancy_type), reported_row.severity
    ),
    discrepancy_type.type_rank,
    reported_row.discrepancy_id collate "C";

-- Grain: one row a reported discrepancy: its id, the word for its facts and status, without its records, which cost
-- time.
create temp view result_reported as
select
    discrepancy_id,
    facts,
    status
from reported;

-- Grain: one row a discrepancy that is open after the run, with its app, type, severity, currency and what is at stake.
create temp view result_open_items as
select
    open_item.discrepancy_id,
    open_item.app_id,
    open_item.type,
    open_item.severity,
    array_position(
        (select array_agg(severity order by severity_rank) from discrepancy_type), open_item.severity
    ) as severity_rank,
    open_item.currency,
    open_item.amount
from open_item;

-- Grain: one row a match of one transaction and one entry, of which the transaction is dated in the period; with what
-- the transaction says.
create temp view result_single_matches as
select
    pairings.match_no,
    pairings.entry_no,
    pairings.rule,
    period_transaction.app_id,
    period_transaction.transaction_id,
    period_transaction.currency,
    period_transaction.amount,
    period_transaction.business_on
from pairings
inner join period_transaction on period_transaction.number = pairings.transaction_no
where
    pairings.stands_for_transaction
    and pairings.stands_for_entry
    and not exists (
        select from pairings as several
        where
            several.match_no = pairings.match_no
            and not (several.stands_for_transaction and several.stands_for_entry)
    );

-- Grain: one row any other match with a record dated in the period: its records must be added up, or its transaction is
-- dated outside. Its pairs are in `pairings`.
create temp view result_summed_matches as
select match_no
from pairings
inner join period_transaction on period_transaction.number = pairings.transaction_no
where
    pairings.transaction_no = pairings.match_no
    and pairings.stands_for_transaction
    and pairings.transaction_no = any(array(
        select several.match_no from pairings as several
        where not (several.stands_for_transaction and several.stands_for_entry)
    ))
union all
select match_no from outside_match;

-- Grain: one row a match with a record dated in the period whose amounts differ and agree all the same. `difference`
-- is KS Pay's amount less the ledger's; `fee` is what of it the ledger has taken off as the expected fee, null where
-- nothing; the rest is what the tolerance let pass.
create temp view result_allowed as
select
    match_no,
    currency,
    difference,
    fee,
    difference - coalesce(fee, 0) as tolerated
from allowed_difference;

-- Grain: one row an app and ledger id that several sources hold: reports write it with its source.
create temp view result_shared_ids as
select
    app_id,
    ledger_id
from shared_id;

-- Grain: one row a scope, side, currency, outcome, rule and payment method, and whether money moved.
create temp view result_outcomes as
select
    scope,
    side,
    currency,
    outcome,
    rule,
    payment_type,
    records,
    amount
from tally;

-- Grain: one row a scope, side, currency and outcome that has records.
create temp view result_summary as
select
    scope,
    side,
    currency,
    outcome,
    records,
    amount
from summary;

-- Grain: one row a currency and line of the bridge between the totals of the period.
create temp view result_bridge as
select
    currency,
    line,
    records,
    amount
from bridge;

-- Grain: one row a currency, line of the bridge, and match (`match_no`) or record without a match (`side`, `number`)
-- that counts in the line, with what it adds to it. Totals and quarantined records have no rows.
create temp view result_bridge_rows as
select
    currency,
    line,
    amount,
    match_no,
    side,
    number
from bridge_row;

-- Grain: one row a record that cannot be used and that the run reports: of the period or earlier.
create temp view result_quarantine as
select
    broken.side,
    broken.source,
    broken.file,
    broken.row_number,
    broken.field,
    broken.value,
    broken.reason,
    broken.raw,
    broken.known_by
from reported
inner join involved using (found_no)
inner join broken on involved.side = 'broken' and broken.broken_rank = involved.number;

-- Grain: one row a record of the apps that cannot be used, of any day.
create temp view result_unusable as
select side
from broken;
