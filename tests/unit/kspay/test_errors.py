"""Errors: which class stands for which status, code and message."""

import json
from pathlib import Path

import pytest

from reconcile.kspay import errors
from reconcile.kspay.errors import CallError, catalogue


def test_the_catalogue_is_whole() -> None:
    assert len(catalogue()) == 125
    assert {entry.family for entry in catalogue()} == set(errors.FAMILIES) - {"protocol"}


AMBIGUOUS = [
    (400, 11008, "The start date cannot be before the app creation date.", errors.DateRangeError),
    (400, 11008, "Start date is before app creation", errors.DateRangeError),
    (400, 11008, "Access key does not match any active credentials", errors.AuthenticationError),
    (400, 11008, "access key mismatch", errors.AuthenticationError),
    (400, 11008, "", errors.InvalidRequestError),
    (429, 11005, "", errors.RateLimitError),
    (400, 11005, "", errors.AuthenticationError),
    (400, 11006, "The format of the provided signature is invalid", errors.AuthenticationError),
    (404, 11001, "", errors.AuthenticationError),
    (400, 11003, "User does not belong to the specified application", errors.PermissionDeniedError),
    (403, 13007, "", errors.PermissionDeniedError),
    (400, 13007, "", errors.InvalidRequestError),
    (503, 11006, "Date range exceeds limit! Date range should not exceed 90 days.", errors.ServerError),
    (400, 4711, "new", errors.InvalidRequestError),
    (401, None, "", errors.AuthenticationError),
    (403, None, "", errors.PermissionDeniedError),
    (404, None, "", errors.NotFoundError),
    (409, None, "", errors.ConflictError),
    (418, None, "", errors.InvalidRequestError),
    (429, None, "", errors.RateLimitError),
    (502, None, "", errors.ServerError),
    (204, None, "", errors.ProtocolError),
]


@pytest.mark.parametrize(("status", "code", "message", "kind"), AMBIGUOUS)
def test_codes_with_several_meanings_and_with_none(
    status: int, code: int | None, message: str, kind: type[CallError]
) -> None:
    assert type(errors.error_for("GET /x", status, code, message)) is kind


def test_every_class_is_drawn_in_the_tree() -> None:
    tree = errors.__doc__ or ""
    for name in [kind.__name__ for kind in errors.FAMILIES.values()] + ["UnreachableError", "CallError"]:
        assert f"── {name} " in tree


def test_the_data_file_names_a_family_for_each_entry() -> None:
    path = Path(errors.__file__).with_name("errors.json")
    assert all(row["family"] in errors.FAMILIES for row in json.loads(path.read_text("utf-8")))
