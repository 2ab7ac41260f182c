-- The pass that runs now.
update pass set phase = :phase, rule = :rule
