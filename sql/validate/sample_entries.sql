-- Grain: one row a made-up entry: paid, refunded, and with nothing in what may be blank.
-- Purpose: Lets an [[expect]] of reconcile.toml be tried before any record is read.
-- Reads: none
-- Makes: sample_entries

create or replace temp view sample_entries as
select
    place,
    'ap_sample' as app_id,
    'default' as source,
    'L' || place as ledger_id,
    'ORD-' || given as reference,
    'INR' as currency,
    amount,
    'paid' as status,
    date '2026-01-01' + given as date,
    'tx_' || given as transaction_id,
    'order_' || given as provider_order_id,
    'pay_' || given as provider_txn_id,
    'Order ' || given as description
from (values ('1', 12.50, 1), ('2', -2.5, 2), ('3', 100.00, null)) as made_up (place, amount, given)
