"""User-visible texts in five languages: gettext catalogs for texts, Babel for numbers and times."""
