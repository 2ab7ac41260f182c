-- Grain: one row a decision.
-- Purpose: Keeps what was exported, so that no decision is booked twice.
-- Reads: none
-- Makes: journal_exports

insert into journal_exports (decision_id, journal, month, source, discrepancy_id, lines, os_user)
values (:decision_id, :journal, :month, :source, :discrepancy_id, cast(:lines as jsonb), :os_user)
