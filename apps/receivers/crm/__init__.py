"""The CRMs that are known by name: what their posts hold, and what is read from them besides."""
