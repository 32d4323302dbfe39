"""A Label Studio server, live."""
