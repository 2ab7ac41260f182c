-- Grain: one row a made-up transaction: paid, refunded, and with nothing in what may be blank.
-- Purpose: Lets an [[expect]] of reconcile.toml be tried before any record is read.
-- Reads: none
-- Makes: sample_transactions

create or replace temp view sample_transactions as
select
    place,
    'ap_sample' as app_id,
    'tx_' || place as transaction_id,
    'ORD-' || given as reference,
    'INR' as currency,
    amount,
    'success' as status,
    timestamptz '2026-01-01 00:00:00+00' + place::integer * interval '1 day' as created_at,
    timestamptz '2026-01-01 00:00:00+00' + given * interval '1 day' as updated_at,
    'order_' || given as provider_order_id,
    'pay_' || given as provider_txn_id,
    'UPI' as payment_method,
    'Provider ' || given as provider_name,
    'ok' || given as provider_status
from (values ('1', 12.50, 1), ('2', 2.5, 2), ('3', 100.00, null)) as made_up (place, amount, given)
