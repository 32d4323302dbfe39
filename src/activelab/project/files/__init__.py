"""Files in and out: imports, exports, backups, and what is damaged."""
