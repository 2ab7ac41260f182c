-- Grain: `taken_txn`: one row a transaction; `taken_unit`: one row an entry or booking.
-- Purpose: Takes all suggested pairs, where suggestions are accepted.
-- Reads: suggestion, txn, unit
-- Makes: taken_txn, taken_unit

insert into taken_txn
select txn.transaction_rank, txn.transaction_rank, 'amount_date'
from suggestion
inner join txn on txn.number = suggestion.transaction_no;

insert into taken_unit
select unit.entry_rank, txn.transaction_rank, 'amount_date'
from suggestion
inner join txn on txn.number = suggestion.transaction_no
inner join unit on unit.number = suggestion.entry_no;
