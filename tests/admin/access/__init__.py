"""Who gets in where (R11): one table of every address, action, filter and autocomplete, and what each person meets."""
