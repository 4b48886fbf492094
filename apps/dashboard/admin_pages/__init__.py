"""Pages of what Metrica counted of that which was delivered."""
