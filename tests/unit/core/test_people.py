"""When two names are one person's, and which are nobody's."""

import pytest

from reconcile.core.people import account_of_person, is_system_account, same_person


@pytest.mark.parametrize(
    "other", ["Zoë Müller", "zoe muller", " ZOË  MÜLLER ", "Zoe-Müller", "Zoe\u0308 Muller"]
)
def test_spellings_of_one_person(other: str) -> None:
    assert same_person("Zoë Müller", other)


@pytest.mark.parametrize("other", ["Zoë Möller", "Zoe", "Müller Zoë", ""])
def test_other_people(other: str) -> None:
    assert not same_person("Zoë Müller", other)


def test_names_of_signs_alone_differ() -> None:
    assert not same_person("—", "…")


def test_accounts_of_the_system_are_nobodys() -> None:
    assert is_system_account("root")
    assert is_system_account(" Root ")
    assert not is_system_account("Asha Rao")
    assert account_of_person(0) is None
    assert account_of_person(54321) is None  # an account without a name
