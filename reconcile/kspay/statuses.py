"""What KS Pay's statuses mean. This is an assumption: the guide lists no statuses."""

from collections.abc import Mapping
from types import MappingProxyType

from reconcile.core.records import Family, bare_word

STATUS_WORDS: Mapping[Family, tuple[str, ...]] = MappingProxyType(
    {
        Family.PAID: ("success", "succeeded", "completed", "paid", "captured", "settled"),
        Family.PENDING: ("pending", "created", "initiated", "processing", "authorized"),
        Family.FAILED: ("failed", "failure", "declined", "error", "rejected"),
        Family.CANCELLED: ("cancelled", "canceled", "expired", "abandoned"),
        Family.REFUNDED: ("refunded", "partially_refunded"),
    }
)
"""The words of each family, in lower case. reconcile.toml may add others to the reconciliation."""

_FAMILIES = {bare_word(word): family for family, words in STATUS_WORDS.items() for word in words}


def family_of(status: object) -> Family:
    """The family of a status, whatever its case and blanks; UNKNOWN for any other word."""
    return _FAMILIES.get(bare_word(status), Family.UNKNOWN) if isinstance(status, str) else Family.UNKNOWN
