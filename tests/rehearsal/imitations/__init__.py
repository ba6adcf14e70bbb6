"""IMAP servers that speak like Gmail, Exchange Online and Yahoo, as far as public sources tell.

They hold their mail in memory and answer one command at a time. What is odd about a provider is in its own
module, and each odd answer names its source there. `talk.py` knows nothing of any provider.
"""
