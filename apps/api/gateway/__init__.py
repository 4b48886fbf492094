"""The Metrica-compatible gateway: a script written for Metrica needs only another host and token."""
