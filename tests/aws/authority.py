"""Certificates of the simulation's own authority, and a bundle by which containers trust it beside the usual ones."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
"""Where Debian's programs look, and the tests' base images."""
_LIFE = timedelta(days=2)


class Authority:
    """Made at its first use."""

    @cached_property
    def bundle(self) -> Path:
        """A file with this machine's authorities, and this one."""
        folder = Path(tempfile.mkdtemp(prefix="authority-"))
        usual = Path(BUNDLE).read_text() if Path(BUNDLE).exists() else ""
        (folder / "bundle.crt").write_text(f"{usual}\n{_pem(self._root)}")
        return folder / "bundle.crt"

    def issue(self, host: str) -> tuple[str, str]:
        """A key and a certificate for `host`, as PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName([x509.DNSName(host)])
        built = _builder(host[:64], self._root.subject, key).add_extension(names, critical=False)
        made = built.sign(self._key, hashes.SHA256())
        plain = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )  # fmt: skip
        return plain.decode(), _pem(made)

    @cached_property
    def _key(self) -> ec.EllipticCurvePrivateKey:
        return ec.generate_private_key(ec.SECP256R1())

    @cached_property
    def _root(self) -> x509.Certificate:
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Simulated Authority")])
        built = _builder("Simulated Authority", name, self._key)
        return built.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True).sign(
            self._key, hashes.SHA256()
        )


def _builder(name: str, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + _LIFE)
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
