"""The notebook: magics, completion, the live view."""
