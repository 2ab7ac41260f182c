-- Grain: one row a currency.
-- Purpose: States how many decimals its amounts have. Parameters: `currencies` and `digits`, with a value a row.
-- Reads: none
-- Makes: currency_digits

insert into currency_digits (currency, digits)
select
    currency,
    digits
from unnest(cast(:currencies as text[]), cast(:digits as integer[])) as c (currency, digits)
on conflict do nothing
