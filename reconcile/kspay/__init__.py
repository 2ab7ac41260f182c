"""KS Pay's API over HTTP. Nothing else in the project imports requests.

client        KSPay: the calls as methods
payments      begins, processes and confirms single payments
payment_answers  what the answers about a payment mean
lookup        one transaction, by id or by reference number
credentials   the keys of an app, and the address of KS Pay
errors        one class for each family of errors; errors.json is the documented catalogue
statuses      what KS Pay's statuses mean
redirect      what the payer's browser sends back

http/         one request
  transport     timeouts, retries, errors
  session       connections, one set for each thread
  auth          tokens, and calls with a token
  rate_limiter  how fast to send, learnt from refusals
  envelope      what an answer says about its own success
  json_decoder  JSON with exact numbers
  server_clock  the server's time

paging/       Fetch All Transactions, read to a proven end (docs/paging-proof.md)
  period_reader    all windows of a period, and what the server's dates mean
  windows          which dates to ask for
  window_reader    one window: reads until a proof holds
  facts, proofs    what is known, and when a window is complete
  page_source      asks for pages and counts answers
  prefetch         asks for pages before their turn
  listing          the rows of one answer
  seen_rows        which rows were seen
  cut_pages        finds pages that the server cut short
  end_probe        what lies beyond the end, and whether `page` is honoured
  window_splitter  shorter windows where `page` is ignored
  date_filter      which time the date range filters
  last_day         until when the last day is listed
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from reconcile.kspay.client import CurrencyInfo, KSPay, PaymentMethod
    from reconcile.kspay.credentials import Credentials
    from reconcile.kspay.paging.listing import Page
    from reconcile.kspay.paging.windows import Window, WindowRecord
    from reconcile.kspay.payment_answers import Initiated
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

_MODULE_OF = {
    "Credentials": "credentials",
    "CurrencyInfo": "client",
    "Initiated": "payment_answers",
    "KSPay": "client",
    "Page": "paging.listing",
    "PaymentMethod": "client",
    "Redirect": "redirect",
    "RedirectError": "redirect",
    "Window": "paging.windows",
    "WindowRecord": "paging.windows",
    "parse_redirect": "redirect",
}


def __getattr__(name: str) -> Any:
    """A name of this package, imported when it is first asked for: most commands never call KS Pay."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULE_OF[name]}"), name)
