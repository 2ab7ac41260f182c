-- Must return no rows: a match of the groups that were matched whose sides differ by more than the tolerance,
-- or are of different currencies, and of which no finding says so. Summed from the stored records.
-- Nearly every match is one pair, of which nothing is to be added up.
with several as (
    select m
    from scope_pairing
    where not (of_t and of_e)
),

member as (
    select m, t as number, 'kspay' as side from scope_pairing
    where m in (select m from several)
    union
    select m, e, 'ledger' from scope_pairing
    where m in (select m from several)
),

side as (
    select
        member.m,
        sum(usable_transaction.amount) as kspay,
        null::numeric as ledger,
        max(tolerance_fixed) + max(tolerance_percent) * 0.01 * sum(amount) as tolerance,
        min(currency) as lowest,
        max(currency) as highest
    from member
    inner join usable_transaction using (number)
    where member.side = 'kspay'
    group by member.m
    union all
    select
        member.m,
        null,
        sum(entries.amount),
        null,
        min(currency),
        max(currency)
    from member
    inner join entries using (number)
    where member.side = 'ledger' and member.number not in (select e from bookings)
    group by member.m
),

balance as (
    select
        m,
        sum(kspay) as kspay,
        sum(ledger) as ledger,
        max(tolerance) as tolerance,
        min(lowest) = max(highest) as same_currency
    from side
    group by m
    union all
    select
        pairings.m,
        scope_transaction.amount,
        case when bookings.e is null then entries.amount end,
        tolerance_fixed + tolerance_percent * 0.01 * scope_transaction.amount,
        scope_transaction.currency = entries.currency
    from pairings
    inner join scope_transaction on scope_transaction.number = pairings.t
    inner join entries on entries.number = pairings.e
    left join bookings on bookings.e = pairings.e
    where of_t and of_e and m not in (select m from several)
)

select
    'kspay' as side,
    transactions.transaction_id as record,
    format('matched with %s against %s, and nothing says so', balance.kspay, balance.ledger) as found
from balance
inner join transactions on transactions.number = balance.m
where
    (not same_currency or abs(kspay - ledger) > tolerance or ledger is null)
    and not exists (
        select from findings
        where findings.side = 'kspay' and findings.number = balance.m and findings.aspect = 'amount'
    )
order by 2
