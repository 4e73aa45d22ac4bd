"""The façade of Perles, and the engine as its clients see it."""
