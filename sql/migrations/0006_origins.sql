-- Where a load came from, so that a record's story can name the import that changed it. A fetch needs no
-- more than its time: only one run at a time works on an app.

alter table loads
add column source text,  -- of the ledger: the profile
add column file text;  -- of the ledger: the file's name

-- Every file of decisions that was taken as a whole, also one that changed nothing: the inbox takes none twice, so
-- that a file which a killed run left behind never overrides what was decided since.
create table decision_files (
    sha256 text not null,
    file text not null,
    by_name text not null,
    taken_at timestamptz not null default clock_timestamp()
);
create index on decision_files (sha256);

insert into decision_files (sha256, file, by_name, taken_at)
select file_sha256, min(file), min(by_name), min(decided_at)
from decisions
group by file_sha256;
