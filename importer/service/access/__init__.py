"""Who may do what: grants, consents, rate limits, web sessions, API clients, visibility."""
