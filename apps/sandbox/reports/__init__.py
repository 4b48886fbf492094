"""Reports (stat/data page): a query is read, figures are taken from visits, orders and reached goals, metrics made."""
