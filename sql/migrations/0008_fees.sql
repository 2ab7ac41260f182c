-- Grain: none; functions.
-- Purpose: How far a ledger is from a payment of which the gateway may have kept a fee.
-- Reads: none
-- Makes: none

-- How far the two amounts of a match are apart: the ledger may book the amount or, where a fee is expected, the amount
-- less that fee. Counts from the nearer of both; `fee` is null where none is expected, which `least` passes over.
create function amount_apart(kspay numeric, fee numeric, ledger numeric) returns numeric
language sql immutable parallel safe
return least(abs(kspay - ledger), abs(kspay - fee - ledger));

-- The fee that the ledger has taken off: the expected one, where its amount agrees with the amount less that fee, and
-- is nearer to it than to the whole amount. Null where it books the whole amount, or another one.
create function fee_taken(kspay numeric, fee numeric, ledger numeric, tolerance numeric) returns numeric
language sql immutable parallel safe
return case
    when abs(kspay - fee - ledger) <= tolerance and abs(kspay - fee - ledger) < abs(kspay - ledger) then fee
end;

-- The fee that the gateway is expected to keep of a payment: rounded half up to the currency's decimals, tax and all at
-- once; never more than the amount, and null where it is nothing. `fees` holds a list for each payment method and
-- currency (`card INR`), and one for all other methods (` INR`), the latest first day first. In PL/pgSQL, and with the
-- fees as a value: so other processes of the server may work it out too, which may not read temporary tables.
create function expected_fee(fees jsonb, payment_method text, currency text, amount numeric, business_on date)
returns numeric
language plpgsql immutable parallel safe
as $$
declare
    rates jsonb;
    rate jsonb;
begin
    foreach rates in array array[
        fees -> (lower(btrim(payment_method) collate "C") || ' ' || currency),
        fees -> (' ' || currency)
    ]
    loop
        for place in 0 .. coalesce(jsonb_array_length(rates), 0) - 1 loop
            rate := rates -> place;
            if cast(rate ->> 'from' as date) <= business_on then
                return nullif(
                    least(
                        round(
                            amount * cast(rate ->> 'share' as numeric) + cast(rate ->> 'fixed' as numeric),
                            cast(rate ->> 'digits' as integer)
                        ),
                        amount
                    ),
                    0
                );
            end if;
        end loop;
    end loop;
    return null;
end
$$;
