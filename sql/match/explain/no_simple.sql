-- Grain: `left_transaction`, `left_entry`: one row a record in scope.
-- Purpose: Lets all records of the group go through the rules, also those that a run matches at once because they agree
-- in everything. The result is the same.
-- Reads: scope_entry, scope_transaction
-- Makes: left_entry, left_of_group, left_transaction, simple

create temp view simple as
select null::bigint as transaction_no, null::bigint as entry_no, null::text as rule
where false;

create temp table left_transaction on commit drop as select number from scope_transaction;

create temp table left_entry on commit drop as select number from scope_entry;

-- Grain: one sum that a pass looked at: all that is still free of one key and currency.
create temp table left_of_group (
    phase integer not null,
    rule text not null,
    key text not null,
    currency text not null,
    transactions bigint,
    kspay_amount numeric,
    entries bigint,
    ledger_amount numeric,
    missed numeric,
    nearest numeric
) on commit drop;
