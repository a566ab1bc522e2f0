"""Certificates of the simulated AWS: issued once their record is in a zone, and never in one that is called `undelegated.…`."""

from __future__ import annotations

from typing import Any


def mend() -> None:
    """moto issues every certificate after a minute."""
    from moto.acm.models import CertBundle
    from moto.route53.models import route53_backends

    def check(own: Any) -> None:
        if own.type != "AMAZON_ISSUED" or own.status != "PENDING_VALIDATION":
            return
        options = own.describe()["Certificate"]["DomainValidationOptions"]
        wanted = {each["ResourceRecord"]["Name"].rstrip(".") for each in options}
        for zone in route53_backends[own.arn.split(":")[4]]["aws"].zones.values():
            there = {str(each.name).rstrip(".") for each in zone.rrsets}
            if wanted & there and not zone.name.startswith("undelegated."):
                own.status = "ISSUED"

    CertBundle.check = check
