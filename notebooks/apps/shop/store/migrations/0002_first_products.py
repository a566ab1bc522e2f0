"""Something to sell on the first day."""

# Class attributes as Django wants them.
# ruff: noqa: RUF012

from django.db import migrations

PRODUCTS = {"Teapot": 2900, "Cup": 900, "Tea, 100 g": 650, "Strainer": 450}


def add(apps, schema_editor) -> None:
    product = apps.get_model("store", "Product")
    product.objects.bulk_create(product(name=name, price_cents=price, stock=20) for name, price in PRODUCTS.items())


def remove(apps, schema_editor) -> None:
    apps.get_model("store", "Product").objects.filter(name__in=PRODUCTS).delete()


class Migration(migrations.Migration):
    dependencies = [("store", "0001_initial")]
    operations = [migrations.RunPython(add, remove)]
