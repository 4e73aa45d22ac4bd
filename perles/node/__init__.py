"""One process a machine that owns the turns there: it starts them, keeps their files, ends them."""
