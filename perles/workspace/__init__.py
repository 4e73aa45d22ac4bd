"""Where workflows work: session folders and git worktrees."""
