"""The API for programs: the use cases as resources below /api/v1, for whoever has a token."""
