"""The web pages and the API. They call the use cases in `importer.service` and nothing below."""
