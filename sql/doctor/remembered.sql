-- Grain: one row: the settings that the matches rest on, and whether records or decisions wait to be matched.
-- Purpose: Says whether what is remembered can be compared with matching everything again.
-- Reads: decisions, loads, matched_policies, runs
-- Makes: none

with newest_run as (
    select cast(report -> 'decisions' ->> 'records' as bigint) as decisions
    from runs
    where command = 'run' and state = 'finished' and apps && cast(:apps as text[])
    order by finished_at desc
    limit 1
)

select
    (
        select string_agg(policy, ' ' order by app_id)
        from matched_policies
        where app_id = any(cast(:apps as text[]))
    ) as policies,
    exists (
        select from loads
        where app_id = any(cast(:apps as text[])) and records > 0 and matched_by is null
    )
    or exists (
        select from decisions
        where
            app_id = any(cast(:apps as text[]))
            and decision is not null
            and decision_id > coalesce((select decisions from newest_run), 0)
    ) as waiting
