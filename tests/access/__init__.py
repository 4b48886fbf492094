"""Who gets in where: one table (table.txt) of every address, method, API key and person, held against real requests."""
