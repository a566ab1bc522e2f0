"""Generated from proto/ by `python -m defang_nb.wire.generate`; not edited by hand."""
