-- Grain: one sum that reference_split looked at, in the order of the passes.
-- Purpose: Says which sums reference_split compared.
-- Reads: left_of_group
-- Makes: none

select *
from left_of_group
order by phase, key collate "C", currency collate "C"
