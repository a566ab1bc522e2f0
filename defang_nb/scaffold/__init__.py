"""A cell's code or a notebook → the files, the Dockerfile and the Compose entry of a service. Nothing is deployed here.

`app.make_app` makes one, `app.write_app` writes it down; `frameworks.FRAMEWORKS` and `stores.STORES` are what is known.
"""
