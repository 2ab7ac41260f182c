-- Grain: one row a pair.
-- Purpose: The description of the entry holds the transaction's id or its reference, as a word of its own. Short
-- words and words without a digit do not count: `PAYMENT` stands in many descriptions. Nor does a word that more than
-- 20 have.
-- Reads: lone_entry, lone_transaction
-- Makes: hint

insert into hint
with said as (
    select number, app_id, currency, amount, word
    from lone_entry
    cross join regexp_split_to_table(description, '\s+') as word
    union
    select number, app_id, currency, amount, word
    from lone_entry
    cross join regexp_split_to_table(description, '[^A-Za-z0-9_-]+') as word
),

word as materialized (
    select distinct
        number as entry_no,
        app_id,
        currency,
        amount,
        word,
        lower(regexp_replace(word, '[^A-Za-z0-9]', '', 'g') collate "C") as key
    from said
),

rare_word as (
    select *
    from (select *, count(*) over (partition by app_id, key) as times from word) as counted
    where times <= 20
),

named as (
    select
        held.number as transaction_no,
        held.amount as kspay_amount,
        held.fee,
        held.tolerance_fixed,
        held.tolerance_percent,
        word.entry_no,
        word.amount
    from rare_word as word
    inner join lone_transaction as held
        on held.app_id = word.app_id and held.comparable = word.key and held.currency = word.currency
    where length(word.key) >= 5 and word.key ~ '[0-9]' and held.same_reference <= 20
    union
    select held.number, held.amount, held.fee, held.tolerance_fixed, held.tolerance_percent, word.entry_no, word.amount
    from rare_word as word
    inner join lone_transaction as held
        on held.app_id = word.app_id and held.transaction_id = word.word and held.currency = word.currency
)

select
    transaction_no,
    entry_no,
    'description',
    case
        when
            amount_apart(kspay_amount, fee, amount) <= tolerance_of(tolerance_fixed, tolerance_percent, kspay_amount)
            then 1
        else 3
    end
from named;
