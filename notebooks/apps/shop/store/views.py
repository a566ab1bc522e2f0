"""Pages and the small JSON interface: see products, place an order, follow it."""

from django.core.cache import cache
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_GET, require_POST

from store.models import Order, Product
from store.tasks import ship


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    visits = _count_visit()
    latest = Order.objects.select_related("product").order_by("-pk")[:10]
    return render(request, "home.html", {"products": Product.objects.order_by("name"), "orders": latest, "visits": visits})


@require_POST
def orders(request: HttpRequest) -> HttpResponse:
    """Place an order, by the page's form. The worker ships it as soon as it is stored."""
    product = get_object_or_404(Product, name=request.POST.get("product", ""))
    placed = Order.objects.create(product=product)
    transaction.on_commit(lambda: ship.delay(placed.pk))
    if "application/json" in request.headers.get("Accept", ""):
        return JsonResponse(_as_json(placed), status=201)
    return redirect("./")


@require_GET
def order(request: HttpRequest, number: int) -> JsonResponse:
    return JsonResponse(_as_json(get_object_or_404(Order.objects.select_related("product"), pk=number)))


@require_GET
def health(request: HttpRequest) -> JsonResponse:
    """Whether the database and the cache answer; an exception here is a 500, which is the point."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    cache.get("visits")
    return JsonResponse({"status": "ok"})


def _as_json(order: Order) -> dict[str, object]:
    return {"number": order.pk, "product": order.product.name, "pieces": order.pieces, "state": order.state}


def _count_visit() -> int:
    cache.add("visits", 0, timeout=None)
    return cache.incr("visits")
