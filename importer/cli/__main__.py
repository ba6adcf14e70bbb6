"""`python -m importer.cli` is `mailhaul`."""

from importer.cli import main

main()
