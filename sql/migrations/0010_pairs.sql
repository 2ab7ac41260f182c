-- A record of a match with several records stands in several pairs; exactly one of them stands for it, so that
-- what is matched can be counted, and joined with the records, without looking for their other pairs.
alter table pairings
add column of_t boolean not null default true,  -- this pair stands for its transaction: the one with its lowest entry
add column of_e boolean not null default true;  -- likewise for its entry: the one with its lowest transaction

update pairings set of_t = numbered.of_t, of_e = numbered.of_e
from (
    select
        ctid as place,
        row_number() over (partition by t order by e) = 1 as of_t,
        row_number() over (partition by e order by t) = 1 as of_e
    from pairings
) as numbered
where pairings.ctid = numbered.place and not (numbered.of_t and numbered.of_e);

alter table pairings
alter column of_t drop default,
alter column of_e drop default;

create index pairings_of_several on pairings (m) where not (of_t and of_e);
