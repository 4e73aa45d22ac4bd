"""The keys of pipeline files and templates, one module for each family; `table.py` has them all."""
