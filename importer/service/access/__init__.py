"""Authentication and authorisation: grants, consents, rate limits, web sessions, API clients, visibility."""
