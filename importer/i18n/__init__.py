"""What people read, in five languages: texts from gettext catalogs, numbers and times by Babel."""
