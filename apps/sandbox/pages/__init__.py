"""Plain pages to look at what the sandbox received and to set faults."""
