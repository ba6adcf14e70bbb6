"""The web: pages that anyone can use. Calls the use cases in `importer.service` and nothing below."""
