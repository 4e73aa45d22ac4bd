"""The database: rows, transactions, transitions, the journal, and the read side."""
