"""After a crash: what became of turns and processes."""
