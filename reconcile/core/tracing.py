"""Spans of OpenTelemetry, for those who set it up: a run and each of its stages, with counts and never with data.

We import nothing of it and send nothing: whoever sets it up, such as `opentelemetry-instrument`, has imported it before
a run begins. So it costs nothing where nobody has.
"""

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

_PREFIX = "reconcile."

Noting = Callable[[Mapping[str, int | str]], None]
"""Adds attributes to the span that is open."""


@contextmanager
def span(name: str) -> Iterator[Noting]:
    """A span around the block. One that fails has the class of the error, not its text, which may quote a record."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        yield lambda _: None
        return
    tracer = trace.get_tracer("kspay-reconcile")
    with tracer.start_as_current_span(name, record_exception=False, set_status_on_exception=False) as current:

        def note(attributes: Mapping[str, int | str]) -> None:
            current.set_attributes({f"{_PREFIX}{key}": value for key, value in attributes.items()})

        try:
            yield note
        except BaseException as error:
            current.set_status(trace.StatusCode.ERROR, type(error).__name__)
            raise
