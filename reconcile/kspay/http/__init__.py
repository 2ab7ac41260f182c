"""HTTP: requests and retries, connections, tokens, rate limits, JSON, envelopes, the clock of the server."""
