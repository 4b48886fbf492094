"""`make demo`: a running Goalpost with two sample agencies, the built-in sandbox, and real input all the way."""
