"""The evidence of an import: the outcome of each message, as a file that anyone can check."""
