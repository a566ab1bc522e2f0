"""The gRPC contract in Python: generated code, and the conversions model ↔ wire (the only place that knows both)."""
