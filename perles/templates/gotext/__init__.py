"""Texts in the syntax of Go's text/template: read, checked and filled in."""
