"""Backup and restore: the database and the kept files, in one directory with a manifest that says what it holds."""
