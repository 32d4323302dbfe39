"""A project in one HTML file: what the dashboard shows, to keep or to send."""
