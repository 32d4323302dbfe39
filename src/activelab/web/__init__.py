"""The annotation page, the dashboard and the HTTP API of a project."""
