-- Grain: one row a pair, a finding, a booking, a load.
-- Purpose: Writes the matches and findings of the records in scope; those of all other records stay. Of the matches
-- only what differs is touched, and what was undone is kept.
-- Reads: asked, booking, entry, finding, policy, runs, scope_booking, scope_finding, scope_pairing, simple, taken_txn,
-- taken_unit, txn, unit_entry
-- Makes: bookings, findings, held_pair, loads, paired, pairing_versions, pairings, pass_pair, pass_pairing, undone,
-- wanted

create temp table pass_pair on commit drop as
with matched_entry as (
    select
        taken_unit.match_rank,
        entry.number as entry_no,
        min(entry.number) over (partition by taken_unit.match_rank) as first_entry_no
    from taken_unit
    inner join unit_entry on unit_entry.unit_rank = taken_unit.entry_rank
    inner join entry on entry.entry_rank = unit_entry.entry_rank
)

select txn.app_id, txn.number as transaction_no, matched_entry.entry_no, txn.number as match_no, taken_txn.rule
from taken_txn
inner join txn using (transaction_rank)
inner join matched_entry using (match_rank)
where taken_txn.transaction_rank = taken_txn.match_rank
union all
select txn.app_id, txn.number, matched_entry.entry_no, lowest.number, taken_txn.rule
from taken_txn
inner join txn using (transaction_rank)
inner join txn as lowest on lowest.transaction_rank = taken_txn.match_rank
inner join matched_entry
    on matched_entry.match_rank = taken_txn.match_rank and matched_entry.entry_no = matched_entry.first_entry_no
where taken_txn.transaction_rank <> taken_txn.match_rank;

create temp view pass_pairing as
select
    app_id,
    transaction_no,
    entry_no,
    match_no,
    rule,
    row_number() over (partition by transaction_no order by entry_no) = 1 as stands_for_transaction,
    row_number() over (partition by entry_no order by transaction_no) = 1 as stands_for_entry
from pass_pair;

create temp view paired as
select
    app_id,
    transaction_no,
    entry_no,
    transaction_no as match_no,
    rule,
    true as stands_for_transaction,
    true as stands_for_entry
from simple
union all
select * from pass_pairing;

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
        drop index pairings_transaction_no, pairings_entry_no;
        insert into pairings (
            app_id, transaction_no, entry_no, match_no, rule, stands_for_transaction, stands_for_entry, made_by
        )
        select app_id, transaction_no, entry_no, transaction_no, rule, true, true, (select run_number from asked) from simple;
        insert into pairings (
            app_id, transaction_no, entry_no, match_no, rule, stands_for_transaction, stands_for_entry, made_by
        )
        select app_id, transaction_no, entry_no, match_no, rule, stands_for_transaction, stands_for_entry, (select run_number from asked) from pass_pairing;
        create index pairings_transaction_no on pairings (transaction_no);
        create index pairings_entry_no on pairings (entry_no);
        analyze pairings;
    else
        create temp table wanted on commit drop as select * from paired;

        create temp table held_pair on commit drop as select * from scope_pairing;

        analyze wanted;
        analyze held_pair;

        create temp table undone on commit drop as
        select held_pair.*
        from held_pair
        left join wanted using (transaction_no, entry_no)
        where
            (held_pair.match_no, held_pair.rule, held_pair.stands_for_transaction, held_pair.stands_for_entry)
            is distinct from (wanted.match_no, wanted.rule, wanted.stands_for_transaction, wanted.stands_for_entry);

        analyze undone;

        insert into pairing_versions (app_id, transaction_no, entry_no, match_no, rule, made_by, undone_by)
        select undone.app_id, undone.transaction_no, undone.entry_no, undone.match_no, undone.rule, undone.made_by, run_number
        from undone
        cross join asked
        left join wanted using (transaction_no, entry_no)
        -- A pair that only no longer stands for its record, or does now, is the same pair.
        where (undone.match_no, undone.rule) is distinct from (wanted.match_no, wanted.rule);

        delete from pairings using undone
        where pairings.app_id = undone.app_id and pairings.transaction_no = undone.transaction_no and pairings.entry_no = undone.entry_no;

        insert into pairings (
            app_id, transaction_no, entry_no, match_no, rule, stands_for_transaction, stands_for_entry, made_by
        )
        select
            wanted.app_id, wanted.transaction_no, wanted.entry_no, wanted.match_no, wanted.rule, wanted.stands_for_transaction, wanted.stands_for_entry,
            case
                when (held_pair.match_no, held_pair.rule) is not distinct from (wanted.match_no, wanted.rule) then held_pair.made_by
                else run_number
            end
        from wanted
        cross join asked
        left join held_pair using (transaction_no, entry_no)
        where
            (held_pair.match_no, held_pair.rule, held_pair.stands_for_transaction, held_pair.stands_for_entry)
            is distinct from (wanted.match_no, wanted.rule, wanted.stands_for_transaction, wanted.stands_for_entry);
    end if;
end
$$;

delete from findings using scope_finding as was
where
    findings.app_id = was.app_id and findings.side = was.side and findings.number = was.number
    and findings.aspect = was.aspect;

insert into findings (app_id, side, number, aspect, kind, match_no, pending_since)
select app_id, side, number, aspect, kind, match_no, pending_since from finding;

delete from bookings using scope_booking as was
where bookings.app_id = was.app_id and bookings.entry_no = was.entry_no;

insert into bookings (app_id, entry_no, lead_no)
select negative.app_id, negative.number, positive.number
from booking
inner join entry as negative on negative.entry_rank = booking.entry_rank
inner join entry as positive on positive.entry_rank = booking.lead_rank;

update loads set matched_by = asked.run_id
from asked, policy
where
    loads.app_id = any(policy.app_ids) and loads.matched_by is null
    and asked.run_id in (select run_id from runs);

analyze findings;
