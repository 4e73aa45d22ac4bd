"""The rows of the database, as SQLAlchemy models."""
