-- Grain: one row a match (`match`) and one a record in it (`member`). Amounts are sums, dates the
-- earliest; a booking counts as its positive entry. Where the currencies differ nothing is subtracted.

create temp table member on commit drop as
select taken_txn.m, 'kspay' as side, txn.t as number, txn.app_id, 'kspay' as source, txn.transaction_id as record_id
from taken_txn
inner join txn using (t)
union all
select taken_unit.m, 'ledger', entry.e, entry.app_id, entry.source, entry.ledger_id
from taken_unit
inner join unit_entry on unit_entry.unit = taken_unit.e
inner join entry on entry.e = unit_entry.e;

analyze member;

create temp table match on commit drop as
with transactions as (
    select
        m,
        min(app_id) as app_id,
        min(rule) as rule,
        string_agg(distinct currency collate "C", ';') as kspay_currency,
        sum(amount) as kspay_amount,
        max(tolerance_fixed) + max(tolerance_percent) * 0.01 * sum(amount) as tolerance,
        min(business_on) as kspay_on,
        max(business_on) as last_on,
        bool_or(family = 'unknown') as any_unknown,
        bool_or(family = 'pending') as any_pending
    from taken_txn
    inner join txn using (t)
    group by m
),

units as (
    select
        m,
        string_agg(distinct currency collate "C", ';') as ledger_currency,
        sum(amount) as ledger_amount,
        min(business_on) as ledger_on,
        max(business_on) as last_on,
        bool_or(family = 'unknown') as any_unknown,
        bool_or(family = 'paid') as any_paid
    from taken_unit
    inner join unit using (e)
    group by m
),

ids as (
    select
        m,
        array_agg(record_id order by record_id collate "C") filter (where side = 'kspay') as transaction_ids,
        array_agg(source || ':' || record_id order by (source || ':' || record_id) collate "C")
            filter (where side = 'ledger') as ledger_ids
    from member
    group by m
),

disagreeing as (
    select distinct taken_txn.m
    from taken_txn
    inner join txn using (t)
    inner join taken_unit using (m)
    inner join unit using (e)
    where (txn.family, unit.family) not in (select kspay, ledger from agreeing)
)

select
    transactions.m,
    transactions.app_id,
    'M-' || letters(to_jsonb(array[to_jsonb(transactions.app_id), to_jsonb(transaction_ids), to_jsonb(ledger_ids)]), 20)
        as match_id,
    rule,
    case
        when kspay_currency = ledger_currency then kspay_currency
        else kspay_currency || ';' || ledger_currency
    end as currency,
    kspay_currency = ledger_currency as same_currency,
    kspay_currency,
    ledger_currency,
    kspay_amount,
    ledger_amount,
    tolerance,
    kspay_on,
    ledger_on,
    least(kspay_on, ledger_on) as first_on,
    greatest(transactions.last_on, units.last_on) as last_on,
    transactions.any_unknown or units.any_unknown as any_unknown,
    any_pending and not any_paid as waiting,
    disagreeing.m is not null as families_disagree
from transactions
inner join units using (m)
inner join ids using (m)
left join disagreeing using (m);

create unique index on match (m);
analyze match;
