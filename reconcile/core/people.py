"""Names of people: when two spellings are one person, and which accounts are no person's."""

import pwd
import unicodedata

_FIRST_PERSON = 1000  # as most systems number accounts; those below belong to the system
_NOBODY = 65534


def same_person(one: str, other: str) -> bool:
    """Whether two names are one person's: case, blanks, accents, dots and hyphens do not count."""
    return _folded(one) == _folded(other)


def _folded(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name).casefold()
    kept = "".join(letter for letter in letters if letter.isalnum())
    return kept or letters


def is_printable(text: str) -> bool:
    """Whether a text can be shown on one line; also with the two joiners that names in Indian scripts have."""
    return text.replace("\u200c", "").replace("\u200d", "").isprintable()


def is_system_account(name: str) -> bool:
    """Whether a name is that of an account of the system, such as root, which belongs to no person."""
    try:
        return _belongs_to_system(pwd.getpwnam(name.strip().lower()).pw_uid)
    except (KeyError, ValueError):
        return name.strip().lower() == "root"


def account_of_person(uid: int) -> str | None:
    """The name of a person's account; None for one of the system, or one without a name."""
    if _belongs_to_system(uid):
        return None
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None


def _belongs_to_system(uid: int) -> bool:
    return uid < _FIRST_PERSON or uid == _NOBODY
