-- Whether something of this app arrived or changed since the last run.
select exists (select from loads where app_id = :app_id and records > 0 and matched_by is null)
