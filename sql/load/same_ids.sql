-- Grain: one row an entry.
-- Purpose: Leaves an id a row of what one import staged. Rows of one ledger_id with equal values are one entry (in a
-- status, case, blanks, hyphens and underscores do not count, and a blank one is paid); if the values differ, or
-- another row of the id cannot be read, all these rows are quarantined. An import and `ledger inspect` both ask it.
-- Reads: repeated, staged_entries, staged_rejections
-- Makes: contested, incoming_ids, staged_entries, staged_rejections

-- Of rows that say the same, one stands for all: whichever comes first, it is the one with this spelling of the status.
delete from staged_entries as staged using (
    select
        ctid as place,
        row_number() over (
            partition by
                app_id, source, ledger_id, reference, currency, amount, pg_temp.said(status), dated_on, dated_at,
                transaction_id, provider_order_id, provider_txn_id, description
            order by status collate "C" desc, row_number
        ) as repeat
    from staged_entries
    where (app_id, source, ledger_id) in (select app_id, source, ledger_id from repeated)
) as counted
where staged.ctid = counted.place and repeat > 1;

create temp view incoming_ids as
select app_id, ledger_id as record_id from staged_entries
union all
select app_id, record_id from staged_rejections where record_id is not null;

-- Every row of a contested id goes to quarantine: the person who corrects the file needs each row.
create temp table contested on commit drop as
with broken as (
    select
        app_id,
        source,
        record_id as ledger_id,
        format('row %s has the same ledger_id and cannot be read; correct it', min(row_number)) as reason
    from staged_rejections
    where record_id is not null
    group by app_id, source, record_id
),

different as (
    select
        app_id,
        source,
        ledger_id,
        format(
            'rows %s and %s differ but have the same ledger_id; give each its own', min(row_number), max(row_number)
        ) as reason
    from staged_entries
    where (app_id, source, ledger_id) in (select app_id, source, ledger_id from repeated)
    group by app_id, source, ledger_id
    having count(*) > 1
),

with_reason as (
    select app_id, source, ledger_id, coalesce(broken.reason, different.reason) as reason
    from broken
    full join different using (app_id, source, ledger_id)
)

select *
from with_reason;

-- What is left is what the file says, an id a row.
with gone as (
    delete from staged_entries as staged using contested
    where
        staged.app_id = contested.app_id and staged.source = contested.source
        and staged.ledger_id = contested.ledger_id
    returning staged.*, contested.reason
)

insert into staged_rejections
select
    app_id, 'ledger', source, ledger_id, file, row_number, 'ledger_id', ledger_id, reason,
    jsonb_strip_nulls(
        jsonb_build_object(
            'ledger_id', ledger_id, 'reference', reference, 'currency', currency, 'amount', amount::text,
            'status', nullif(status, ''), 'date', coalesce(dated_on::text, dated_at::text),
            'transaction_id', transaction_id, 'provider_order_id', provider_order_id,
            'provider_txn_id', provider_txn_id, 'description', description
        )
    )::text,
    currency, amount, dated_on, dated_at, null, null
from gone;
