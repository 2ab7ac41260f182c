-- Where a load came from, so that a record's story can name the import that changed it. A fetch needs no
-- more than its time: only one run at a time works on an app.

alter table loads
add column source text,  -- of the ledger: the profile
add column file text;  -- of the ledger: the file's name
