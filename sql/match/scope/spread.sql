-- Grain: one row a record that joined the scope in this round.
-- Purpose: One round: finds the keys of the records that joined the scope last, and the records that carry those keys
-- or are in one match or booking with them. `frontier` is what joined by it. A key that does not count leads nowhere;
-- one that only now turns out not to count has led somewhere before, so it counts once more. Where a normalised
-- reference does not count, the reference as it is written may still be a key.
-- Reads: bookings, by_hand, crowded_keys, entries, fresh_key, frontier, key_record, pairings, policy,
-- scope_entry_no, scope_transaction_no, seen_key, transactions
-- Makes: crowded_keys, fresh_key, frontier, joining, key_record, scope_entry_no, scope_transaction_no, seen_key

insert into scope_transaction_no select number from frontier where side = 'kspay';

insert into scope_entry_no select number from frontier where side = 'ledger';

analyze scope_transaction_no;
analyze scope_entry_no;

insert into fresh_key
select distinct app_id, kind, key
from (
    select app_id, reference, comparable, transaction_id, provider_order_id, provider_txn_id
    from transactions
    where number = any(array(select number from frontier where side = 'kspay'))
    union all
    select app_id, reference, comparable, transaction_id, provider_order_id, provider_txn_id
    from entries
    where number = any(array(select number from frontier where side = 'ledger'))
) as joined
cross join
    lateral (
        values
        ('comparable', comparable),
        ('reference', reference),
        ('transaction_id', transaction_id),
        ('provider_order_id', provider_order_id),
        ('provider_txn_id', provider_txn_id)
    ) as carried (kind, key)
where
    key is not null
    and case kind
        when 'reference'
            then exists (
                    select from crowded_keys as crowded
                    where crowded.app_id = joined.app_id and crowded.kind = 'comparable' and crowded.key = comparable
                )
        when 'transaction_id' then exists (select from entries where transaction_id is not null)
        when 'provider_order_id' then exists (select from entries where provider_order_id is not null)
        when 'provider_txn_id' then exists (select from entries where provider_txn_id is not null)
        else true
    end
-- A record that changed and kept a key brings that key twice; its carriers are counted once.
on conflict do nothing;

delete from fresh_key
where
    exists (
        select from crowded_keys as crowded
        where
            crowded.app_id = fresh_key.app_id and crowded.kind = fresh_key.kind and crowded.key = fresh_key.key
    )
    or exists (
        select from seen_key
        where
            seen_key.app_id = fresh_key.app_id and seen_key.kind = fresh_key.kind
            and seen_key.key = fresh_key.key
    );

insert into seen_key select distinct app_id, kind, key from fresh_key;

analyze fresh_key;

truncate key_record;

insert into key_record
with carried as (
    select 'kspay' as side, app_id, reference, number from transactions
    union all
    select 'ledger', app_id, reference, number from entries where not withdrawn
)

select fresh_key.app_id, kind, key, 'kspay', number
from fresh_key
inner join transactions on transactions.comparable = key and transactions.app_id = fresh_key.app_id
where kind = 'comparable'
union all
select fresh_key.app_id, kind, key, 'ledger', number
from fresh_key
inner join entries on entries.comparable = key and entries.app_id = fresh_key.app_id and not entries.withdrawn
where kind = 'comparable'
union all
select fresh_key.app_id, kind, key, 'kspay', number
from fresh_key
inner join transactions on transactions.app_id = fresh_key.app_id and transactions.transaction_id = key
where kind = 'transaction_id'
union all
select fresh_key.app_id, kind, key, 'ledger', number
from fresh_key
inner join entries on entries.transaction_id = key and entries.app_id = fresh_key.app_id and not entries.withdrawn
where kind = 'transaction_id'
union all
select fresh_key.app_id, kind, key, 'kspay', number
from fresh_key
inner join transactions on transactions.provider_order_id = key and transactions.app_id = fresh_key.app_id
where kind = 'provider_order_id'
union all
select fresh_key.app_id, kind, key, 'ledger', number
from fresh_key
inner join entries on entries.provider_order_id = key and entries.app_id = fresh_key.app_id and not entries.withdrawn
where kind = 'provider_order_id'
union all
select fresh_key.app_id, kind, key, 'kspay', number
from fresh_key
inner join transactions on transactions.provider_txn_id = key and transactions.app_id = fresh_key.app_id
where kind = 'provider_txn_id'
union all
select fresh_key.app_id, kind, key, 'ledger', number
from fresh_key
inner join entries on entries.provider_txn_id = key and entries.app_id = fresh_key.app_id and not entries.withdrawn
where kind = 'provider_txn_id'
union all
select fresh_key.app_id, kind, key, carried.side, number
from fresh_key
inner join carried on carried.app_id = fresh_key.app_id and carried.reference = key
where kind = 'reference';

insert into crowded_keys
select app_id, kind, key
from key_record
group by app_id, kind, key, side
having count(*) > (select most_records_of_a_key from policy)
on conflict do nothing;

insert into crowded_keys
select key_record.app_id, 'reference', coalesce(transactions.reference, entries.reference)
from key_record
left join transactions on key_record.side = 'kspay' and transactions.number = key_record.number
left join entries on key_record.side = 'ledger' and entries.number = key_record.number
where
    key_record.kind = 'comparable'
    and (key_record.app_id, 'comparable', key_record.key) in (select app_id, kind, key from crowded_keys)
group by key_record.app_id, coalesce(transactions.reference, entries.reference), key_record.side
having count(*) > (select most_records_of_a_key from policy)
on conflict do nothing;

create temp table joining on commit drop as
select side, number
from key_record
union
select 'ledger', entry_no
from pairings
where transaction_no = any(array(select number from frontier where side = 'kspay'))
union
select 'kspay', transaction_no
from pairings
where entry_no = any(array(select number from frontier where side = 'ledger'))
union
select by_other.side, by_other.number
from frontier
inner join by_hand using (side, number)
inner join by_hand as by_other on by_other.decision_id = by_hand.decision_id
union
select 'ledger', bookings.lead_no
from frontier
inner join bookings on frontier.side = 'ledger' and bookings.entry_no = frontier.number
union
select 'ledger', bookings.entry_no
from frontier
inner join bookings on frontier.side = 'ledger' and bookings.lead_no = frontier.number;

truncate fresh_key;

truncate frontier;

insert into frontier
select side, number
from joining
where
    case side
        when
            'kspay'
            then not exists (select from scope_transaction_no where scope_transaction_no.number = joining.number)
        else not exists (select from scope_entry_no where scope_entry_no.number = joining.number)
    end;

drop table joining;

analyze frontier;
