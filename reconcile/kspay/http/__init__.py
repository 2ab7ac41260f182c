"""HTTP as KS Pay speaks it: requests, sessions, tokens, rate limits, JSON, the clock of the server."""
