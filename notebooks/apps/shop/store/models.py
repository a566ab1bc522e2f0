"""Products in stock, and orders for them."""

from django.db import models


class Product(models.Model):
    name = models.CharField(max_length=80, unique=True)
    price_cents = models.PositiveIntegerField()
    stock = models.PositiveIntegerField(default=0)
    wanted_stock = models.PositiveIntegerField(default=20)

    @property
    def price(self) -> str:
        return f"€ {self.price_cents / 100:.2f}"

    def __str__(self) -> str:
        return self.name


class Order(models.Model):
    class State(models.TextChoices):
        PLACED = "placed"
        SHIPPED = "shipped"
        SOLD_OUT = "sold out"

    product = models.ForeignKey(Product, on_delete=models.PROTECT)
    pieces = models.PositiveIntegerField(default=1)
    state = models.CharField(max_length=10, choices=State, default=State.PLACED)
    placed_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"{self.pieces} × {self.product} ({self.state})"
