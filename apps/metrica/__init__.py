"""Metrica's public API and nothing else: words, rules, identifiers, dates, wire formats, client, errors.

No Django models and no Django settings are needed: the package works in a bare script.
"""
