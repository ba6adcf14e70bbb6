"""The evidence of an import: what became of each message, as a file that anybody can check."""
