"""Addresses."""

from django.urls import path
from store import views

urlpatterns = [
    path("", views.home),
    path("orders", views.orders),
    path("orders/<int:number>", views.order),
    path("health", views.health),
]
