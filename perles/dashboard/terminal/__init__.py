"""The terminal: keys in, styled lines out."""
