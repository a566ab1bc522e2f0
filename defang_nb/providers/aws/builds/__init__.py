"""Images, each built by a Kaniko task of its own in the user's account."""
