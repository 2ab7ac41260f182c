insert into runs (run_id, command, apps, period_first, period_last, folder)
values (:run_id, :command, :apps, :first, :last, :folder)
on conflict do nothing
