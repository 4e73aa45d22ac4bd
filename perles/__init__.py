"""Perles: a control plane for AI coding agents."""
