-- Grain: one row a currency that the settings know.
-- Purpose: How many decimals its amounts are written with.
-- Reads: none
-- Makes: currency_digits

create temp table if not exists currency_digits (currency text primary key, digits integer not null) on commit drop
