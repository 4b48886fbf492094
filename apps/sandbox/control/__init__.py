"""JSON addresses by which other processes set up the sandbox and look into it. They are no part of Metrica."""
