-- Grain: one sum that reference_split looked at, in the order of the passes.
select *
from left_of_group
order by phase, key collate "C", currency collate "C"
