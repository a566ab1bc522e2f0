"""Images without a container engine: a build context becomes a folder, a virtual environment and a command."""
