"""The one command tree, and what each command does, whichever face (command line, notebook) it is asked for through.

`tree` declares, `parse`, `help` and `complete` read the declaration (and import next to nothing), `run` does it.
"""
