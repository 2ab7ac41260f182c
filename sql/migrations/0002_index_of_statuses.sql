-- Grain: none.
-- Purpose: Lets a night find the pending transactions of a long history without reading all of it. The second index is
-- of words that only some locales write in lower case; it is nearly always empty.
-- Reads: transactions
-- Makes: none

create index on transactions (app_id, lower(btrim(status) collate "C"));
create index on transactions (app_id) where octet_length(status) <> length(status);
