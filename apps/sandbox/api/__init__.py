"""The addresses that Metrica has: CDP uploads and the management API."""
