"""Perles for Python programs: `from perles import ControlPlane`."""
