-- Grain: one row a record that is taken.
-- Purpose: All that is left of a group on one side adds up, within the tolerance, to one record on the other side.
-- First the entries that name one transaction are summed, then the transactions and entries of one reference and
-- currency. Failed and cancelled records do not count. Many entries to one transaction come before many transactions to
-- one entry. Where several records fit the sum, the usual order decides.
-- Reads: agreeing, free_txn, free_unit, unit_key
-- Makes: counting_txn, counting_unit, fitting, left_txn, left_unit, taken_txn, taken_unit

create temp view counting_txn as
select * from free_txn where family not in ('failed', 'cancelled');

create temp view counting_unit as
select * from free_unit where family <> 'cancelled';

with split as (
    select
        counting_txn.transaction_rank,
        array_agg(counting_unit.entry_rank) as units
    from counting_txn
    inner join unit_key
        on
            unit_key.app_id = counting_txn.app_id and unit_key.kind = 'transaction_id'
            and unit_key.key = counting_txn.transaction_id
    inner join
        counting_unit
        on counting_unit.entry_rank = unit_key.entry_rank and counting_unit.currency = counting_txn.currency
    group by counting_txn.transaction_rank
    having
        count(*) > 1
        and abs(min(counting_txn.amount) - sum(counting_unit.amount))
        <= min(tolerance_of(counting_txn.tolerance_fixed, counting_txn.tolerance_percent, counting_txn.amount))
),

taken as (
    insert into taken_txn
    select transaction_rank, transaction_rank, 'reference_split'
    from split
)

insert into taken_unit
select unnest(units), transaction_rank, 'reference_split'
from split;

-- A booking may carry several references. Groups that share one are taken one after another, in the order
-- of their references, and looked at again after each.
do $$
begin
    loop
        create temp table left_txn on commit drop as
        select app_id, ref_key as key, currency, transaction_rank, amount, family, business_on, tolerance_fixed, tolerance_percent
        from counting_txn
        where ref_key is not null;

        create temp table left_unit on commit drop as
        select unit_key.app_id, unit_key.key, currency, entry_rank, amount, family, business_on
        from counting_unit
        inner join unit_key using (entry_rank)
        where unit_key.kind = 'reference';

        analyze left_txn (app_id, key, currency, transaction_rank);
        analyze left_unit (app_id, key, currency, entry_rank);

        create temp table fitting on commit drop as
        with txns as (
            select
                app_id, key, currency, count(*) as records, sum(amount) as amount, min(business_on) as first_on,
                tolerance_of(max(tolerance_fixed), max(tolerance_percent), sum(amount)) as tolerance
            from left_txn
            group by app_id, key, currency
        ),

        units as (
            select app_id, key, currency, count(*) as records, sum(amount) as amount, min(business_on) as first_on
            from left_unit
            group by app_id, key, currency
        ),

        single as (
            select
                app_id, key, currency, 1 as way, transaction_rank as one, family,
                abs(left_txn.amount - units.amount) as difference,
                abs(left_txn.business_on - units.first_on) as days
            from left_txn
            inner join units using (app_id, key, currency)
            where
                units.records > 1
                and abs(left_txn.amount - units.amount)
                <= tolerance_of(tolerance_fixed, tolerance_percent, left_txn.amount)
            union all
            select
                app_id, key, currency, 2, entry_rank, family, abs(txns.amount - left_unit.amount),
                abs(txns.first_on - left_unit.business_on)
            from left_unit
            inner join txns using (app_id, key, currency)
            where txns.records > 1 and abs(txns.amount - left_unit.amount) <= txns.tolerance
        )

        select distinct on (app_id, key, currency)
            app_id, key, currency, way, one
        from single
        order by
            app_id, key, currency, way,
            case way
                when 1 then exists (
                    select from left_unit as many
                    where
                        (many.app_id, many.key, many.currency) = (single.app_id, single.key, single.currency)
                        and (single.family, many.family) not in (select kspay, ledger from agreeing)
                )
                else exists (
                    select from left_txn as many
                    where
                        (many.app_id, many.key, many.currency) = (single.app_id, single.key, single.currency)
                        and (many.family, single.family) not in (select kspay, ledger from agreeing)
                )
            end,
            difference, days, one;

        delete from fitting
        using left_unit as own, left_unit as other, fitting as earlier
        where
            (own.app_id, own.key, own.currency) = (fitting.app_id, fitting.key, fitting.currency)
            and other.entry_rank = own.entry_rank
            and (other.app_id, other.key, other.currency) = (earlier.app_id, earlier.key, earlier.currency)
            and (earlier.app_id, earlier.currency) = (fitting.app_id, fitting.currency)
            and earlier.key collate "C" < fitting.key collate "C";

        insert into taken_txn
        select
            left_txn.transaction_rank,
            case fitting.way when 1 then fitting.one else min(left_txn.transaction_rank) over (partition by app_id, key, currency) end,
            'reference_split'
        from fitting
        inner join left_txn using (app_id, key, currency)
        where fitting.way = 2 or left_txn.transaction_rank = fitting.one;

        insert into taken_unit
        select
            left_unit.entry_rank,
            case fitting.way
                when 1 then fitting.one
                else (
                    select min(transaction_rank)
                    from left_txn
                    where (app_id, key, currency) = (fitting.app_id, fitting.key, fitting.currency)
                )
            end,
            'reference_split'
        from fitting
        inner join left_unit using (app_id, key, currency)
        where fitting.way = 1 or left_unit.entry_rank = fitting.one;

        exit when not found;
        drop table left_txn, left_unit, fitting;
    end loop;
    drop table left_txn, left_unit, fitting;
end
$$;

drop view counting_txn, counting_unit;
