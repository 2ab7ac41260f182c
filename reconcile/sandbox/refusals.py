"""The errors that the server answers with, in the words, codes and statuses of KS Pay's catalogue."""

import json
from importlib.resources import files

from starlette.responses import JSONResponse

_ENTRIES = json.loads(files("reconcile.kspay").joinpath("errors.json").read_text(encoding="utf-8"))
# If the management API and the payment API have different words for an error, those of the payment API count.
_CATALOGUE = {
    (entry["group"], entry["name"]): entry
    for surface in ("common", "sandbox_live")
    for entry in _ENTRIES
    if entry["surface"] == surface
}


class Refused(Exception):
    """The answer is an error of the catalogue, given by its group and name.

    `words` fill the placeholders of its message; for an entry without a message, `message` is the whole text.
    """

    def __init__(self, group: str, name: str, **words: object) -> None:
        entry = _CATALOGUE[group, name]
        template = entry["message"] or "{message}"
        self.status: int = entry["http_status"]
        self.code: int = entry["code"]
        self.message: str = template.format(**words)
        super().__init__(f"{self.status} {self.code} {self.message}")

    def answer(self, status_name: str = "status") -> JSONResponse:
        """The error as the server sends it, its HTTP status under one of three known names."""
        content = {status_name: self.status, "code": self.code, "message": self.message}
        return JSONResponse(content, status_code=self.status)
