"""cd in the user's own account: its image, its task, and how a client finds it."""
