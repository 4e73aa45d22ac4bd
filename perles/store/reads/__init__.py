"""The read side: by the driver alone, no SQLAlchemy."""
