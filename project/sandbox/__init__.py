"""`make sandbox`: the sandbox alone, for integrations that are not Goalpost."""
