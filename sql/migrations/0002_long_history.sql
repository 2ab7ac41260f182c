-- Grain: none.
-- Purpose: Lets a night look up in a long history, without reading all of it, which transactions are still pending, and
-- whether an app had a currency before. The second index is of words that only some locales write in lower case; it is
-- nearly always empty.
-- Reads: entries, transactions
-- Makes: none

create index on transactions (app_id, lower(btrim(status) collate "C"));
create index on transactions (app_id) where octet_length(status) <> length(status);
create index on transactions (app_id, currency);
create index on entries (app_id, currency);
