-- Grain: one row a side and status: the family that the settings give it.
insert into status_family (side, status, family) values (:side, :status, :family)
