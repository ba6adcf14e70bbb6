"""IMAP servers that imitate Gmail, Exchange Online and Yahoo, as documented by public sources.

They hold their mail in memory and process one command at a time. The peculiarities of a provider are in its
own module, each with its source. `talk.py` is independent of the providers.
"""
