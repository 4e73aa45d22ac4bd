"""The dashboard: a full-screen view of all workflows, off the database, in a process of its own."""
