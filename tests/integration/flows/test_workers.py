"""What a flow makes of a scheduler of Dask."""

import threading

import pytest
from distributed import Client, LocalCluster

from flows import workers
from reconcile.core.errors import UsageError

_goes_on = threading.Event()


def _work() -> bool:
    return _goes_on.wait(60)


def test_a_scheduler_without_workers_is_waited_for_only_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that comes in time is enough, and one that is at work may take as long as it likes."""
    monkeypatch.setattr(workers, "NO_WORKER_SECONDS", 2)
    monkeypatch.setattr(workers, "_LOOK_SECONDS", 0.2)
    with (
        LocalCluster(  # type: ignore[no-untyped-call]
            n_workers=0, processes=False, threads_per_worker=1, dashboard_address="127.0.0.1:0"
        ) as cluster,
        Client(cluster) as client,  # type: ignore[no-untyped-call]
    ):
        future = client.submit(_work)
        with pytest.raises(UsageError, match="Dask's scheduler has had no worker for 2 seconds: start its"):
            workers.await_end(client, future)
        monkeypatch.setattr(workers, "NO_WORKER_SECONDS", 5)
        threading.Timer(0.5, cluster.scale, [1]).start()
        threading.Timer(8, _goes_on.set).start()
        workers.await_end(client, future)
        assert future.result() is True
