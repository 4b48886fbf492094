"""Every page of the admin and every list of the API, opened again and again on a database that `filling` has filled.

    DATABASE_URL=postgres://127.0.0.1:5432/big python -m tests.benchmarks.pages --times 20

Pages are found from the admin's own registry and addresses, so a new one is walked without being named here; where an
address, a filter or a search needs a value that nobody has told (`values`), the walk ends with what is missing.
"""
