"""The keys of an app, and the address of KS Pay."""

from dataclasses import dataclass
from ipaddress import ip_address
from urllib.parse import urlsplit

from reconcile.core.errors import UsageError
from reconcile.core.wording import MASK


@dataclass(frozen=True)
class Credentials:
    """One app's access to KS Pay. Raises UsageError for an address to which the keys must not be sent.

    `access_key_field` is the name of the access key in a request. The guide's second half calls it `accesskey`.
    """

    base_url: str
    app_id: str
    access_key: str
    secret_key: str
    access_key_field: str = "accessKey"

    def __post_init__(self) -> None:
        for name in ("base_url", "app_id", "access_key", "secret_key"):
            value = getattr(self, name).strip()
            if not value or not value.isprintable():
                raise UsageError(f"KSPAY_{name.upper()} is blank or holds control characters: copy it again")
            object.__setattr__(self, name, value)
        object.__setattr__(self, "base_url", self.base_url.rstrip("/"))
        problem = _address_problem(self.base_url)
        if problem:
            raise UsageError(f"KSPAY_BASE_URL {problem}, for example https://payment-api.p2epl.io/v1")
        if not all(
            character.isascii() and (character.isalnum() or character in "_-") for character in self.app_id
        ):
            raise UsageError("KSPAY_APP_ID holds other characters than letters, digits, _ and -")

    def keys(self) -> dict[str, str]:
        """The body of the calls that give tokens or a signature for the keys."""
        return {self.access_key_field: self.access_key, "secretKey": self.secret_key}

    @property
    def is_local(self) -> bool:
        """Whether the server is on this machine, so that no proxy may be used."""
        return _is_loopback(urlsplit(self.base_url).hostname or "")

    def __repr__(self) -> str:
        return f"Credentials({self.base_url!r}, {self.app_id!r}, access_key={MASK!r}, secret_key={MASK!r})"


def _address_problem(base_url: str) -> str:
    try:
        parts = urlsplit(base_url)
        host, _ = parts.hostname or "", parts.port
    except ValueError:
        return "is no address"
    if parts.scheme not in ("http", "https") or not host:
        return "is no address that starts with https://"
    if "@" in parts.netloc or "?" in base_url or "#" in base_url:
        return "holds a user name, a query or a fragment: give the bare address"
    if parts.scheme == "http" and not _is_loopback(host):
        return f"would send the keys to {host} unencrypted: it must start with https://"
    return ""


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
