"""Pages of goals, of the mapping, and of both in step with Metrica."""
