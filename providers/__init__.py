"""Mail providers: servers, login methods, limits and errors. Independent of `importer`."""
