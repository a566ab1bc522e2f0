"""The store: products, orders, and the work that is done on them in the background."""
