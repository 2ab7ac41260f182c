-- Grain: `simple`: one row a pair of a transaction and an entry that agree in all.
-- Purpose: Nearly every group is one paid transaction and one entry that agree in everything. They are matched here,
-- many at once, exactly as the passes would match them. `simple` is such a pair: the only transaction and the only
-- entry of their reference (or, for an entry without one, the only entry that names the transaction, whose reference no
-- other transaction has), same currency, amounts within the tolerance, same family, dates within the tolerance, and no
-- other key that leads elsewhere. Everything else goes through the passes. Two tests prove that the passes would end
-- the same way: test_replay sends records through the passes alone and compares, test_oracle compares with the rules in
-- plain Python.
-- Reads: by_hand, joined_apart, joined_by_reference, several
-- Makes: joined_otherwise, left_entry, left_transaction, not_so_simple, simple, simple_apart

create temp table joined_otherwise on commit drop as
select 'kspay' as side, transaction_no as number from joined_apart
union
select 'ledger', entry_no from joined_apart
union
select side, number from by_hand;

analyze several;
analyze joined_otherwise;

-- A transaction or an entry stands in one row by reference, or in several that are all among these.
create temp table not_so_simple on commit drop as
select transaction_no, entry_no, clean
from joined_by_reference
where
    not clean
    or key_hash in (select key_hash from several)
    or transaction_no in (select number from joined_otherwise where side = 'kspay')
    or entry_no in (select number from joined_otherwise where side = 'ledger');

analyze not_so_simple (transaction_no, clean);

-- Named by one entry without a reference, and the only record of its own reference.
create temp table simple_apart on commit drop as
select named.app_id, named.transaction_no, named.entry_no
from (
    select *, count(*) over (partition by transaction_no) as entries
    from joined_apart
) as named
inner join joined_by_reference as own using (transaction_no)
where
    named.clean and named.entries = 1 and own.entry_no is null
    and (own.key_hash is null or own.key_hash not in (select key_hash from several))
    and not exists (
        select from by_hand
        where
            by_hand.side = 'kspay' and by_hand.number = named.transaction_no
            or by_hand.side = 'ledger' and by_hand.number = named.entry_no
    );

create temp view simple as
select
    app_id,
    transaction_no,
    entry_no,
    case when named then 'transaction_id' else 'reference' end as rule
from joined_by_reference
where clean
    and not exists (
        select
        from not_so_simple as other
        where other.clean and other.transaction_no = joined_by_reference.transaction_no
    )
union all
select app_id, transaction_no, entry_no, 'transaction_id' from simple_apart;

-- All others.
create temp table left_transaction on commit drop as
select transaction_no as number
from not_so_simple
where transaction_no is not null
except
select transaction_no
from simple_apart;

create temp table left_entry on commit drop as
select entry_no as number
from not_so_simple
where entry_no is not null
except
select entry_no
from simple_apart;

analyze left_transaction;
analyze left_entry;
