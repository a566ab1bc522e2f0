"""The project: its settings, its addresses, and the Celery app, which Django has to know from the start."""

from shop.celery import app as celery_app

__all__ = ["celery_app"]
