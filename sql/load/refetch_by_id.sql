-- Grain: one row a transaction that may have changed where no window of this run looks.
-- Purpose: Which transactions to fetch by id: those still pending, in quarantine, or in an open discrepancy, and
-- created on none of the days that are fetched. Those older than the re-read days take turns: a seventh a night, so
-- that each is seen within a week. Parameters: app_id, pending (the words of that family), firsts and lasts (the UTC
-- days that are fetched), old_before (the start of the re-read days), turns (of 0 to 6, those whose turn it is).
-- Reads: discrepancies, pairings, quarantine, transactions
-- Makes: none

with candidate as (
    select transaction_id, created_at
    from transactions
    where app_id = :app_id and lower(btrim(status) collate "C") = any(cast(:pending as text[]))
    union
    select transaction_id, created_at
    from transactions
    where
        app_id = :app_id
        and octet_length(status) <> length(status)
        and lower(btrim(status)) = any(cast(:pending as text[]))
    union
    select partner.transaction_id, partner.created_at
    from discrepancies
    inner join transactions as held
        on
            discrepancies.side = 'kspay' and held.app_id = discrepancies.app_id
            and held.transaction_id = discrepancies.record_id
    inner join pairings on pairings.app_id = held.app_id and pairings.transaction_no = held.number
    inner join pairings as partners on partners.app_id = pairings.app_id and partners.entry_no = pairings.entry_no
    inner join transactions as partner
        on partner.app_id = partners.app_id and partner.number = partners.transaction_no
    where discrepancies.app_id = :app_id and discrepancies.cleared_by is null
    union
    select transactions.transaction_id, transactions.created_at
    from discrepancies
    inner join transactions
        on
            transactions.app_id = discrepancies.app_id
            and transactions.transaction_id = discrepancies.record_id
    where discrepancies.app_id = :app_id and discrepancies.side = 'kspay' and discrepancies.cleared_by is null
    union
    select record_id, dated_at
    from quarantine
    where app_id = :app_id and side = 'kspay' and record_id is not null
)

select transaction_id
from candidate
where
    not exists (
        select from unnest(cast(:firsts as date[]), cast(:lasts as date[])) as fetched (first, last)
        where cast(candidate.created_at at time zone 'UTC' as date) between fetched.first and fetched.last
    )
    and (
        created_at >= :old_before
        or abs(hashtextextended(transaction_id, 0) % 7) = any(cast(:turns as integer[]))
    )
group by transaction_id
order by transaction_id collate "C"
