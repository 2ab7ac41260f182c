-- Must return no rows: a record that stands in two matches, or a match that lacks a side.
select
    side,
    record_id as record,
    count(*) || ' matches' as found
from member
group by side, app_id, source, record_id
having count(*) > 1
union all
select
    'kspay',
    match_id,
    'a match without records of both sides'
from match
where not exists (select from member where member.m = match.m and side = 'ledger')
order by 1, 2
