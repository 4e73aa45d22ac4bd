"""The journal of events: appended, read and followed."""
