"""The tables and the database they are in: what a project remembers, and who may ask."""
