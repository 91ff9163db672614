"""Certificates for tests: authorities of their own, files in a folder, names and dates as wanted."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from onhook.net.settings import Asking, TlsSettings

AUTHORITY = trustme.CA()
STRANGER = trustme.CA()
"""Whom nobody trusts."""


def tls_settings(
    folder: Path,
    *names: str,
    days: float = 90.0,
    of: trustme.CA = AUTHORITY,
    clients: Asking = "never",
    known_as: dict[str, str] | None = None,
) -> TlsSettings:
    """A certificate for `names` that is good for so many days more; `AUTHORITY` alone is trusted."""
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC)
    made = of.issue_cert(*names, not_before=now - timedelta(days=300), not_after=now + timedelta(days=days))
    certificate, key, authorities = (folder / name for name in ("own.pem", "own-key.pem", "trusted.pem"))
    certificate.write_bytes(b"".join(blob.bytes() for blob in made.cert_chain_pems))
    key.write_bytes(made.private_key_pem.bytes())
    authorities.write_bytes(AUTHORITY.cert_pem.bytes())
    return TlsSettings(certificate, key, authorities, clients, known_as or {})


def sip_domain(folder: Path, *general: x509.GeneralName, common: str = "") -> TlsSettings:
    """With any names at all in its subjectAltName, as RFC 5922 has them; signed by `AUTHORITY`."""
    made = tls_settings(folder, "unused.example")
    signing = serialization.load_pem_private_key(AUTHORITY.private_key_pem.bytes(), None)
    assert isinstance(signing, ec.EllipticCurvePrivateKey)
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    issuer = x509.load_pem_x509_certificate(AUTHORITY.cert_pem.bytes())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common)] if common else [])
    builder = (
        x509.CertificateBuilder(issuer.subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=90))
    )
    if general:
        builder = builder.add_extension(x509.SubjectAlternativeName(general), critical=False)
    builder = builder.add_extension(
        x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), critical=False
    )
    signed = builder.sign(signing, hashes.SHA256())
    made.certificate.write_bytes(signed.public_bytes(serialization.Encoding.PEM))
    made.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return made
