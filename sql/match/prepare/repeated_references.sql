-- References that stand in several rows, by their hash: two that share one merely go through the passes.
create temp table several on commit drop as
select h
from joined_by_reference
where h is not null
group by h
having count(*) > 1;
