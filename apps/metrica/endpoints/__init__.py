"""The calls of MetricaClient, a group to each subject. A group knows nothing of HTTP but its paths and parameters."""
