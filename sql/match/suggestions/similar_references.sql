-- Grain: one row a pair.
-- Purpose: The amounts agree, and the normalised references differ by one letter: another one, one too many, or two
-- that are swapped. Each reference is written in all these ways, and the ways are joined, so nothing compares all
-- references with all: `*` stands for any letter. A reference that more than 20 have does not count.
-- Reads: lone_entry, lone_transaction
-- Makes: hint

insert into hint
with reference as (
    select 'kspay' as side, number, app_id, currency, comparable
    from lone_transaction
    where length(comparable) between 6 and 100 and comparable ~ '[0-9]' and same_reference <= 20
    union all
    select 'ledger', number, app_id, currency, comparable
    from lone_entry
    where length(comparable) between 6 and 100 and comparable ~ '[0-9]' and same_reference <= 20
),

way as (
    select
        side,
        number,
        app_id,
        currency,
        'exact' as how,
        comparable as written
    from reference
    union
    select side, number, app_id, currency, changed.how, changed.written
    from reference
    cross join lateral generate_series(1, length(comparable)) as place
    cross join
        lateral (
            values
            ('other', left(comparable, place - 1) || '*' || substr(comparable, place + 1)),
            ('fewer', left(comparable, place - 1) || substr(comparable, place + 1)),
            (
                'swapped',
                left(comparable, place - 1) || substr(comparable, place + 1, 1) || substr(comparable, place, 1)
                || substr(comparable, place + 2)
            )
        ) as changed (how, written)
),

alike as (
    select distinct
        ours.number as transaction_no,
        theirs.number as entry_no
    from way as ours
    inner join way as theirs using (app_id, currency, written)
    where
        ours.side = 'kspay' and theirs.side = 'ledger'
        and (ours.how, theirs.how) in (
            ('other', 'other'), ('fewer', 'exact'), ('exact', 'fewer'), ('swapped', 'exact')
        )
),

agreeing as (
    select
        alike.transaction_no,
        alike.entry_no
    from alike
    inner join lone_transaction as kspay on kspay.number = alike.transaction_no
    inner join lone_entry as booked on booked.number = alike.entry_no
    where
        amount_apart(kspay.amount, kspay.fee, booked.amount)
        <= tolerance_of(kspay.tolerance_fixed, kspay.tolerance_percent, kspay.amount)
)

select
    transaction_no,
    entry_no,
    'similar',
    2
from agreeing;
