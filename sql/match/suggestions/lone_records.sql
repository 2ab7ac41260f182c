-- Grain: `refused_pair`: one row a pair that a person joined and took apart again; `settled`: one row a missing record
-- that a person decided; `lone_transaction`, `lone_entry`: one row a record without a partner; `hint`: one row a pair
-- that may belong together.
-- Purpose: What the further suggestions work on: what is unmatched, what amount_date does not suggest, and what nobody
-- has decided. What repeats another record belongs to that one. A pair that a person refused gets no hint again.
-- `kind` says why two may belong together, and `confidence` which of several reasons counts: the lowest. So that
-- nothing is compared with everything, `span` numbers spans of days that are longer than the date tolerance;
-- `same_reference` is how many have the reference; and `of_day` counts those of one amount and day: two are
-- enough to know that none is the only one. Where more than 5,000 of a side are unmatched, the cause is not single
-- records: then both tables are empty.
-- Reads: decisions, decisions_in_force, discrepancies, entries, findings, lone, policy, suggestion, transactions,
-- usable_entry, usable_transaction
-- Makes: few_lone, hint, lone_entry, lone_transaction, refused_pair, settled

create temp view few_lone as
select not exists (select from lone group by side having count(*) > 5000) as are_few;

create temp table refused_pair on commit drop as
select distinct
    transactions.number as transaction_no,
    entries.number as entry_no
from decisions
inner join policy on decisions.app_id = any(policy.app_ids)
left join decisions_in_force as standing on standing.decision_id = decisions.decision_id
cross join lateral jsonb_array_elements(decisions.records) as ours
cross join lateral jsonb_array_elements(decisions.records) as theirs
inner join transactions
    on transactions.app_id = decisions.app_id and transactions.transaction_id = ours ->> 'record_id'
inner join entries
    on
        entries.app_id = decisions.app_id and entries.source = theirs ->> 'source'
        and entries.ledger_id = theirs ->> 'record_id'
where
    decisions.decision = 'match' and standing.decision_id is null
    and ours ->> 'side' = 'kspay' and theirs ->> 'side' = 'ledger';

-- Their decision still holds: nothing that it rests on has changed.
create temp view settled as
select
    found.app_id,
    found.side,
    found.source,
    found.record_id
from discrepancies as found
inner join decisions_in_force as decided using (discrepancy_id)
where
    found.aspect = 'presence' and decided.decision in ('accept', 'write_off', 'ignore')
    and decided.facts = found.facts;

create temp table lone_transaction on commit drop as
select
    held.*,
    (held.business_on - date '2000-01-01') / (select date_tolerance_days + 1 from policy) as span,
    count(*) over (partition by app_id, comparable) as same_reference,
    row_number() over (partition by app_id, currency, amount, fee, business_on order by number) as of_day
from usable_transaction as held
where
    (select are_few from few_lone)
    and number = any(array(select number from lone where side = 'kspay'))
    and number not in (select transaction_no from suggestion)
    and number not in (select number from findings where side = 'kspay' and kind like 'DUPLICATE%')
    and amount > 0
    and not exists (
        select from settled
        where
            settled.app_id = held.app_id and settled.side = 'kspay' and settled.record_id = held.transaction_id
    );

create temp table lone_entry on commit drop as
select
    held.*,
    (held.business_on - date '2000-01-01') / (select date_tolerance_days + 1 from policy) as span,
    count(*) over (partition by app_id, comparable) as same_reference,
    row_number() over (partition by app_id, currency, amount, business_on order by number) as of_day
from usable_entry as held
where
    (select are_few from few_lone)
    and number = any(array(select number from lone where side = 'ledger'))
    and number not in (select entry_no from suggestion)
    and number not in (select number from findings where side = 'ledger' and kind like 'DUPLICATE%')
    and amount > 0
    and not exists (
        select from settled
        where
            settled.app_id = held.app_id and settled.side = 'ledger' and settled.source = held.source
            and settled.record_id = held.ledger_id
    );

analyze lone_transaction;
analyze lone_entry;

create temp table hint (
    transaction_no bigint not null,
    entry_no bigint not null,
    kind text not null,
    confidence integer not null
) on commit drop;
