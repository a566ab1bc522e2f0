"""What the worker does: ship orders as they come, and restock when the scheduler says so."""

from celery import shared_task
from django.db import transaction
from django.db.models import F

from store.models import Order, Product


@shared_task
def ship(number: int) -> None:
    with transaction.atomic():
        order = Order.objects.select_for_update().get(pk=number)
        if order.state != Order.State.PLACED:
            return
        # One statement takes the pieces only if that many are there, whoever else is taking some.
        taken = Product.objects.filter(pk=order.product_id, stock__gte=order.pieces).update(stock=F("stock") - order.pieces)
        order.state = Order.State.SHIPPED if taken else Order.State.SOLD_OUT
        order.save(update_fields=["state"])


@shared_task
def restock() -> int:
    return Product.objects.filter(stock__lt=F("wanted_stock") / 2).update(stock=F("wanted_stock"))
