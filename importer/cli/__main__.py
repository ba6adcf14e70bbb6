"""`python -m importer.cli`, the same as `mailhaul`."""

from importer.cli import main

main()
