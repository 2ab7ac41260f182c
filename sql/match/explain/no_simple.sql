-- What sql/match takes at once because it agrees in all goes through the rules here like everything else,
-- and ends the same way.
create temp view simple as
select null::bigint as t, null::bigint as e, null::text as rule
where false;

create temp table left_t on commit drop as select number from scope_transaction;

create temp table left_e on commit drop as select number from scope_entry;

-- Grain: one possible pair of one pass, as it was ranked then.
create temp table seen (
    phase integer not null,
    rule text not null,
    t bigint not null,
    e bigint not null,
    rank bigint not null
) on commit drop;

-- Grain: one sum that reference_split looked at: all that is still free of one key and currency.
create temp table left_of_group (
    phase integer not null,
    key text not null,
    currency text not null,
    transactions bigint,
    kspay_amount numeric,
    entries bigint,
    ledger_amount numeric
) on commit drop;
