"""People and API clients: identities, tokens, batch rights, owner consent."""
