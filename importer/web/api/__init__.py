"""The HTTP API: the use cases as resources below /api/v1, for clients with a token."""
