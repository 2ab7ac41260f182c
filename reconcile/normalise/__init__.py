"""Raw records of either side become typed ones: Decimal amounts, aware times in UTC, stripped texts."""
