"""The redirect after a payment: what the payer's browser sends to the merchant's `redirectUrl` (integration guide)."""

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl

from reconcile.core.errors import InputRefused
from reconcile.core.records import Family
from reconcile.kspay.statuses import family_of

_TRANSACTION_ID = re.compile(r"tx_[0-9A-Za-z]{1,64}", re.ASCII)
_MAX_FIELDS = 100
_MAX_LENGTH = 256


class RedirectError(InputRefused, ValueError):
    """A redirect that KS Pay cannot have sent: a parameter is missing, blank, given twice or malformed."""


@dataclass(frozen=True, slots=True)
class Redirect:
    """What a redirect claims. It proves nothing: see `parse_redirect`."""

    payment_status: str
    """The word as it came, `success` or `failed`."""
    transaction_id: str
    """KS Pay's `tx_…`, from `kspay_id`."""
    provider_payment_id: str

    @property
    def family(self) -> Family:
        """What the claimed status means, Family.UNKNOWN for a word that is not known."""
        return family_of(self.payment_status)


def parse_redirect(url_or_query: str) -> Redirect:
    """Read `payment_status`, `kspay_id` and `provider_payment_id` from a redirect's URL or query.

    A redirect comes from the payer's browser, and anyone can type one: it proves nothing, not even
    that there was a payment. Deliver only after `KSPay.payments.confirm`, or after
    `KSPay.transaction` has shown the status. Other parameters, those of the merchant's own `redirectUrl`, are ignored.

    Raises RedirectError, a ValueError, which names the parameter and never repeats the address.
    """
    before, mark, query = url_or_query.partition("?")
    query = (query if mark else "" if "://" in before else before).partition("#")[0]
    try:
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=_MAX_FIELDS)
    except ValueError:
        raise RedirectError("The redirect has a query that is not UTF-8 or has too many fields") from None
    redirect = Redirect(
        _only(pairs, "payment_status"), _only(pairs, "kspay_id"), _only(pairs, "provider_payment_id")
    )
    if not _TRANSACTION_ID.fullmatch(redirect.transaction_id):
        raise RedirectError("The redirect's kspay_id is no transaction id: tx_ and letters and digits")
    return redirect


def _only(pairs: list[tuple[str, str]], name: str) -> str:
    values = [value.strip() for key, value in pairs if key == name]
    if not values:
        raise RedirectError(f"The redirect has no {name}")
    if len(values) > 1:
        raise RedirectError(f"The redirect has {name} {len(values)} times: none of them can be trusted")
    if not values[0]:
        raise RedirectError(f"The redirect's {name} is blank")
    if len(values[0]) > _MAX_LENGTH or not values[0].isprintable():
        raise RedirectError(f"The redirect's {name} is too long or holds control characters")
    return values[0]
