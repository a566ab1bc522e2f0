"""Keys of one launch: a certificate authority that lives in memory only, and a pair each for cd and for its clients."""

from __future__ import annotations

import datetime
import ipaddress

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from defang_nb.providers.base import TlsKeys

VALID = datetime.timedelta(days=30)
"""A cd that is busy for longer than this can't be reached any more; it goes on all the same."""


def make_keys() -> tuple[TlsKeys, TlsKeys]:
    """The server's and the clients' keys, each signed by the same new authority, whose own key is then forgotten."""
    authority_key = ec.generate_private_key(ec.SECP256R1())
    authority = _name("cd's clients and server")
    basic = x509.BasicConstraints(ca=True, path_length=0)
    root = _builder(authority, authority, authority_key).add_extension(basic, critical=True)
    ca = root.sign(authority_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def issue(name: str, usage: x509.ObjectIdentifier) -> TlsKeys:
        key = ec.generate_private_key(ec.SECP256R1())
        names = x509.SubjectAlternativeName(
            [x509.DNSName("localhost"), x509.IPAddress(ipaddress.IPv4Address("127.0.0.1"))]
        )  # fmt: skip
        builder = _builder(_name(name), authority, key).add_extension(names, critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        certificate = builder.sign(authority_key, hashes.SHA256())
        private_key = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )  # fmt: skip
        return TlsKeys(ca=ca, certificate=certificate.public_bytes(serialization.Encoding.PEM), key=private_key)

    return issue("cd", ExtendedKeyUsageOID.SERVER_AUTH), issue("workspace", ExtendedKeyUsageOID.CLIENT_AUTH)


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + VALID)
    )
