"""What every stage shares: records, money, errors, wording. It imports nothing of the other folders."""
