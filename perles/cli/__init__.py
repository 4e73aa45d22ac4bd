"""The command line: parse, call the façade, print. No rules live here."""
