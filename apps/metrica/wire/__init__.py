"""The files Metrica takes, written and read: one module for each format."""
