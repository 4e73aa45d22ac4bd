"""All that is PostgreSQL's own. Nothing here is imported where the database is a file."""
