"""The files of SIP over TLS: what is wrong with them, and what should be known of them."""

import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from onhook.net.certificates import WATCHED_DAYS


def file_faults(certificate: str, key: str, authorities: str) -> Iterator[tuple[str, str]]:
    """Names of settings under [sip] and what is wrong with the files that they name, if anything."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if certificate:
        yield from _own(context, certificate, key or certificate)
    if authorities:
        try:
            context.load_verify_locations(authorities)
        except (OSError, ssl.SSLError) as error:
            yield "tls_authorities", _problem(error, authorities, "certificates")


def remarks(certificate: str, key: str, now: datetime) -> list[str]:
    """A sentence on each thing that works and should be known."""
    if not certificate:
        return ["sip.tls_key is not used, because there is no sip.tls_certificate."] if key else []
    try:
        (own, *_) = x509.load_pem_x509_certificates(Path(certificate).read_bytes())
    except (OSError, ValueError):
        return []
    days = (own.not_valid_after_utc - now.astimezone(UTC)).total_seconds() / 86_400
    until = f"{own.not_valid_after_utc:%Y-%m-%d}"
    if days < 0:
        return [
            f"sip.tls_certificate expired on {until}: no trunk takes it. Renew {certificate}, and restart."
        ]
    if days <= WATCHED_DAYS:
        return [
            f"sip.tls_certificate expires on {until}, in {days:.0f} days. Renew {certificate}, and restart."
        ]
    return []


def _own(context: ssl.SSLContext, certificate: str, key: str) -> Iterator[tuple[str, str]]:
    try:
        own = x509.load_pem_x509_certificates(Path(certificate).read_bytes())
    except (OSError, ValueError) as error:
        yield "tls_certificate", _problem(error, certificate, "certificates")
        return
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            name = own[0].subject.rfc4514_string() or "without a subject"
            yield "tls_key", f"the key in {key} is not that of the certificate {name} in {certificate}."
        else:
            yield "tls_key", _problem(error, key, "a key without password")
    except (OSError, ValueError) as error:
        yield "tls_key", _problem(error, key, "a key without password")


def _problem(error: Exception, path: str, expected: str) -> str:
    if isinstance(error, OSError) and not isinstance(error, ssl.SSLError):
        return f"{path} cannot be read: {error.strerror}."
    return f"{path} is no PEM file with {expected}."


def _no_password() -> bytes:
    """OpenSSL would ask the terminal for one."""
    raise ValueError("the key has a password")
