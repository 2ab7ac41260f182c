-- Writes the matches and what is wrong with what was in scope beside those of the nights before. Of the
-- matches only what differs is touched, and what was undone is kept.

create temp table world_pair on commit drop as
with matched_entry as (
    select taken_unit.m, entry.number as e, min(entry.number) over (partition by taken_unit.m) as first_e
    from taken_unit
    inner join unit_entry on unit_entry.unit = taken_unit.e
    inner join entry on entry.e = unit_entry.e
)

select txn.number as t, matched_entry.e, txn.number as m, taken_txn.rule
from taken_txn
inner join txn using (t)
inner join matched_entry using (m)
where taken_txn.t = taken_txn.m
union all
select txn.number, matched_entry.e, lowest.number, taken_txn.rule
from taken_txn
inner join txn using (t)
inner join txn as lowest on lowest.t = taken_txn.m
inner join matched_entry on matched_entry.m = taken_txn.m and matched_entry.e = matched_entry.first_e
where taken_txn.t <> taken_txn.m;

create temp view world_paired as
select
    t,
    e,
    m,
    rule,
    row_number() over (partition by t order by e) = 1 as of_t,
    row_number() over (partition by e order by t) = 1 as of_e
from world_pair;

create temp view paired as
select t, e, t as m, rule, true as of_t, true as of_e from simple
union all
select * from world_paired;

do $$
declare
    is_first boolean := not exists (select from pairings);
begin
    if is_first then
        -- Never waited for: two apps' first runs, which both look at the table already, would wait for one another.
        begin
            lock table pairings in access exclusive mode nowait;
            is_first := not exists (select from pairings);
        exception when lock_not_available then
            is_first := false;
        end;
    end if;
    if is_first then
        -- The first time. Indexes are made faster at the end than kept up for every row, and a table that was emptied
        -- in the same transaction needs no log of what is written into it, where there is no replica. Emptied is only
        -- a file without a byte: another app's first run may have committed rows that this one does not see.
        if pg_relation_size('pairings') = 0 then
            truncate pairings;
        end if;
        drop index pairings_t, pairings_e;
        insert into pairings (t, e, m, rule, of_t, of_e, made_by)
        select t, e, t, rule, true, true, (select run_number from asked) from simple;
        insert into pairings (t, e, m, rule, of_t, of_e, made_by)
        select t, e, m, rule, of_t, of_e, (select run_number from asked) from world_paired;
        create index pairings_t on pairings (t);
        create index pairings_e on pairings (e);
        analyze pairings;
    else
        create temp table wanted on commit drop as select * from paired;

        create temp table held_pair on commit drop as select * from scope_pairing;

        analyze wanted;
        analyze held_pair;

        create temp table undone on commit drop as
        select held_pair.*
        from held_pair
        left join wanted using (t, e)
        where
            (held_pair.m, held_pair.rule, held_pair.of_t, held_pair.of_e)
            is distinct from (wanted.m, wanted.rule, wanted.of_t, wanted.of_e);

        analyze undone;

        insert into pairing_versions (t, e, m, rule, made_by, undone_by)
        select undone.t, undone.e, undone.m, undone.rule, undone.made_by, run_number
        from undone
        cross join asked
        left join wanted using (t, e)
        -- A pair that only no longer stands for its record, or does now, is the same pair.
        where (undone.m, undone.rule) is distinct from (wanted.m, wanted.rule);

        delete from pairings using undone
        where pairings.t = undone.t and pairings.e = undone.e;

        insert into pairings (t, e, m, rule, of_t, of_e, made_by)
        select
            wanted.t, wanted.e, wanted.m, wanted.rule, wanted.of_t, wanted.of_e,
            case
                when (held_pair.m, held_pair.rule) is not distinct from (wanted.m, wanted.rule) then held_pair.made_by
                else run_number
            end
        from wanted
        cross join asked
        left join held_pair using (t, e)
        where
            (held_pair.m, held_pair.rule, held_pair.of_t, held_pair.of_e)
            is distinct from (wanted.m, wanted.rule, wanted.of_t, wanted.of_e);
    end if;
end
$$;

delete from findings using scope_finding as was
where findings.side = was.side and findings.number = was.number and findings.aspect = was.aspect;

insert into findings (app_id, side, number, aspect, kind, m, pending_since)
select app_id, side, number, aspect, kind, m, pending_since from finding;

delete from bookings using scope_booking as was
where bookings.e = was.e;

insert into bookings
select negative.number, positive.number
from booking
inner join entry as negative on negative.e = booking.e
inner join entry as positive on positive.e = booking.lead;

update loads set matched_by = asked.run_id
from asked, policy
where
    loads.app_id = any(policy.app_ids) and loads.matched_by is null
    and exists (select from runs where runs.run_id = asked.run_id);

analyze findings;
