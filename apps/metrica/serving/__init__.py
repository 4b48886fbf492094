"""Metrica's API seen from the other side, for whoever answers as Metrica does: bodies, parameters, errors."""
