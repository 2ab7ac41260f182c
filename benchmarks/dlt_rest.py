"""dlt's REST source over Fetch All Transactions into Postgres: the peer of benchmarks/fetch.py.

Runs in an environment of its own, which holds dlt[postgres]; prints the seconds that the pipeline took.
"""

import os
import time

import dlt  # type: ignore[import-not-found,unused-ignore]
from dlt.sources.rest_api import rest_api_source  # type: ignore[import-not-found,unused-ignore]

source = rest_api_source(
    {
        "client": {
            "base_url": os.environ["BASE_URL"],
            "auth": {"type": "bearer", "token": os.environ["TOKEN"]},
            "paginator": {"type": "page_number", "base_page": 1, "total_path": None},
        },
        "resources": [
            {
                "name": "transaction",
                "primary_key": "id",
                "write_disposition": "merge",
                "endpoint": {
                    "path": "transaction",
                    "data_selector": "result",
                    "params": {
                        "fromDate": os.environ["FIRST"],
                        "toDate": os.environ["LAST"],
                        "limit": os.environ["PAGE_SIZE"],
                    },
                },
            }
        ],
    }
)
pipeline = dlt.pipeline(
    pipeline_name="peer",
    destination=dlt.destinations.postgres(
        {
            "database": os.environ["DATABASE"],
            "username": os.environ["DATABASE_USER"],
            "password": os.environ["DATABASE_PASSWORD"],
            # The folder of a socket, as a URL holds it.
            "host": os.environ["SOCKET"].replace("/", "%2F"),
        }
    ),
    dataset_name="peer",
)
started = time.monotonic()
pipeline.run(source)
print(time.monotonic() - started)
