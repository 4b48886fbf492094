"""Years of an agency platform, made up: fills an empty, migrated PostgreSQL database with as many orders as wanted.

    DATABASE_URL=postgres://postgres@127.0.0.1:5432/big python -m tests.benchmarks.filling --orders 10000000

Few things (agencies, people, counters, mappings) are made by the models, what comes by the million by the database
itself (`INSERT … SELECT`: nothing crosses the wire), without indexes, which are made anew afterwards, and without the
write-ahead log (`--logged` keeps it). The database's superuser does it: foreign keys are not looked at row by row. The
same seed gives the same rows, but for the moment up to which the years reach.
"""
