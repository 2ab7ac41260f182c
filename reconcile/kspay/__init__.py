"""Stage 1 of the data's way: KS Pay's API over HTTP. Nothing else in the project imports requests.

credentials   who we are, and where KS Pay is
clock         the server's clock
wire          one request: timeouts, retries, envelopes
governor      how fast to ask, learnt from refusals
decode        JSON with exact numbers
errors        one class a family of errors; errors.json is the documented catalogue
tokens        access and refresh tokens
windows       which dates to ask for
ahead         pages asked for ahead of their turn
paging        one window, read to its provable end
known         which of its rows are known
beyond        what lies beyond its end, and whether `page` is honoured
completeness  how a window was read, and why nothing can be missing
narrowing     shorter windows where `page` is ignored
filters       which time the range filters
span          what the times of its rows tell
listing       the rows of Fetch All Transactions
statuses      what KS Pay's statuses mean
redirect      what the payer's browser brings back
payments      the calls that begin, process and look up payments
client        KSPay: all calls as methods
"""

from reconcile.kspay.client import CurrencyInfo, KSPay, PaymentMethod
from reconcile.kspay.credentials import Credentials
from reconcile.kspay.paging.listing import Page
from reconcile.kspay.paging.windows import Window, WindowRecord
from reconcile.kspay.payments import Initiated
from reconcile.kspay.redirect import Redirect, RedirectError, parse_redirect

__all__ = [
    "Credentials",
    "CurrencyInfo",
    "Initiated",
    "KSPay",
    "Page",
    "PaymentMethod",
    "Redirect",
    "RedirectError",
    "Window",
    "WindowRecord",
    "parse_redirect",
]
