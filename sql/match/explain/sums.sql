-- Grain: one sum that a pass looked at, in the order of the passes.
-- Purpose: Says which sums reference_split and reference_differs compared.
-- Reads: left_of_group
-- Makes: none

select *
from left_of_group
order by phase, key collate "C", currency collate "C"
