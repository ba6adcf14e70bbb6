"""`python -m importer.cli` is `mailferry`."""

from importer.cli import main

main()
