"""How the CSV files for people are written: RECONCILE_CSV."""

from enum import StrEnum


class Dialect(StrEnum):
    """What stands between cells, and which sign amounts have before their decimals.

    A spreadsheet reads both as its country does. One of a country with a decimal comma would take 285.265 for a
    number without decimals.
    """

    COMMA = "comma"
    SEMICOLON = "semicolon"

    @classmethod
    def of_header(cls, header: str) -> "Dialect":
        """The dialect of a file, by its first line: no name of a column holds a delimiter."""
        return cls.SEMICOLON if cls.SEMICOLON.delimiter in header else cls.COMMA

    @property
    def delimiter(self) -> str:
        """What stands between two cells."""
        return "," if self is Dialect.COMMA else ";"

    @property
    def decimal(self) -> str:
        """What stands before the decimals of an amount."""
        return "." if self is Dialect.COMMA else ","
