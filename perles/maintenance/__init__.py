"""What keeps the home small and safe, for cron and for the engine's own sweeps alike."""
