"""The gRPC contract: generated code (fenced in `generated`), and the one place that knows both it and the model."""

from defang_nb.wire.convert import (
    event_from_json,
    event_from_wire,
    event_to_json,
    event_to_wire,
    request_from_wire,
    request_to_wire,
)

__all__ = ["event_from_json", "event_from_wire", "event_to_json", "event_to_wire", "request_from_wire", "request_to_wire"]
