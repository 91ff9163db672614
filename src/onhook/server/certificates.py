"""A certificate authority of this machine, and the certificate that HTTPS is served with.

The SDKs speak HTTPS only, so a server on localhost needs a certificate that they trust (validated:
REQUESTS_CA_BUNDLE for the synchronous Python SDK, SSL_CERT_FILE for the asynchronous one,
NODE_EXTRA_CA_CERTS for JavaScript). The authority is made once, on this machine, and kept; its key never
leaves the data directory. It can sign for any name: whoever reads the key can impersonate sites to
those who trust it, so it is not put into the system's trust store.
"""

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import certifi
import trustme
from cryptography import x509
from cryptography.exceptions import InvalidSignature

from onhook.server.files import write_whole

AUTHORITY_NAME = "Onhook local certificate authority"
ALWAYS_NAMED = ("localhost", "127.0.0.1", "::1")
VALID_DAYS = 365
RENEW_BEFORE_DAYS = 30
HOW_TO_RENEW = "Delete {directory} to make a new authority, then run `onhook env` again"


class CertificateError(Exception):
    """The kept authority cannot be used; the text says which file and what to do."""


@dataclass(frozen=True, slots=True)
class CertificatePaths:
    """Files in the data directory, PEM all."""

    directory: Path

    @property
    def authority(self) -> Path:
        return self.directory / "ca.pem"

    @property
    def authority_key(self) -> Path:
        return self.directory / "ca-key.pem"

    @property
    def certificate(self) -> Path:
        return self.directory / "server.pem"

    @property
    def key(self) -> Path:
        return self.directory / "server-key.pem"

    @property
    def bundle(self) -> Path:
        """Our authority and the public roots: what replaces a client's list must hold both."""
        return self.directory / "ca-bundle.pem"


def prepare(directory: Path, hostnames: Sequence[str], now: datetime) -> CertificatePaths:
    """Make or renew what is missing, near its end, or lacks a name. Cheap if nothing is to do.

    Raises CertificateError if the authority's files are damaged, OSError if they cannot be written.
    """
    paths = CertificatePaths(directory)
    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    authority = _authority(paths)
    names = tuple(dict.fromkeys((*ALWAYS_NAMED, *hostnames)))
    if not _is_good(paths, names, now):
        made = authority.issue_cert(
            *names,
            common_name=names[0],
            not_before=now - timedelta(days=1),
            not_after=now + timedelta(days=VALID_DAYS),
        )
        write_whole(paths.key, made.private_key_pem.bytes(), mode=0o600)
        write_whole(paths.certificate, b"".join(blob.bytes() for blob in made.cert_chain_pems), mode=0o644)
    bundle = authority.cert_pem.bytes() + Path(certifi.where()).read_bytes()
    if not paths.bundle.exists() or paths.bundle.read_bytes() != bundle:
        write_whole(paths.bundle, bundle, mode=0o644)
    return paths


def expired(paths: CertificatePaths, hostnames: Sequence[str], now: datetime) -> tuple[Path, Path]:
    """A certificate for these names that ran out yesterday, and its key: for the lab."""
    certificate, key = paths.directory / "expired.pem", paths.directory / "expired-key.pem"
    names = tuple(dict.fromkeys((*ALWAYS_NAMED, *hostnames)))
    made = _authority(paths).issue_cert(
        *names,
        common_name=names[0],
        not_before=now - timedelta(days=VALID_DAYS),
        not_after=now - timedelta(days=1),
    )
    write_whole(key, made.private_key_pem.bytes(), mode=0o600)
    write_whole(certificate, b"".join(blob.bytes() for blob in made.cert_chain_pems), mode=0o644)
    return certificate, key


def env_lines(paths: CertificatePaths, port: int, key: str, *, host: str = "localhost") -> list[str]:
    """Shell lines that make the SDKs of this shell's programs trust and find this server.

    NODE_EXTRA_CA_CERTS adds to the public roots, the other two replace them.
    """
    bundle, authority = _quoted(str(paths.bundle.resolve())), _quoted(str(paths.authority.resolve()))
    connection = _quoted(f"endpoint=https://{host}:{port}/;accesskey={key}")
    return [
        f"export REQUESTS_CA_BUNDLE={bundle}",
        f"export SSL_CERT_FILE={bundle}",
        f"export NODE_EXTRA_CA_CERTS={authority}",
        f"export COMMUNICATION_SERVICES_CONNECTION_STRING={connection}",
    ]


def client_context(paths: CertificatePaths) -> ssl.SSLContext:
    """For our own clients: the public roots and this machine's authority."""
    return ssl.create_default_context(cafile=str(paths.bundle))


def _authority(paths: CertificatePaths) -> trustme.CA:
    present = [paths.authority.exists(), paths.authority_key.exists()]
    if not any(present):
        authority = trustme.CA(organization_name=AUTHORITY_NAME)
        write_whole(paths.authority_key, authority.private_key_pem.bytes(), mode=0o600)
        write_whole(paths.authority, authority.cert_pem.bytes(), mode=0o644)
        return authority
    if not all(present):
        missing = paths.authority_key if present[0] else paths.authority
        raise CertificateError(f"{missing} is missing. {HOW_TO_RENEW.format(directory=paths.directory)}")
    try:
        return trustme.CA.from_pem(paths.authority.read_bytes(), paths.authority_key.read_bytes())
    except (ValueError, TypeError) as fault:
        raise CertificateError(
            f"{paths.authority} or {paths.authority_key.name} cannot be read ({fault})."
            f" {HOW_TO_RENEW.format(directory=paths.directory)}"
        ) from None


def _is_good(paths: CertificatePaths, names: Sequence[str], now: datetime) -> bool:
    """Whether the server's certificate is this authority's, has all names, and lasts."""
    try:
        certificate = x509.load_pem_x509_certificate(paths.certificate.read_bytes())
        authority = x509.load_pem_x509_certificate(paths.authority.read_bytes())
        certificate.verify_directly_issued_by(authority)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(paths.certificate, paths.key)
        alternatives = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (OSError, ValueError, TypeError, InvalidSignature, ssl.SSLError, x509.ExtensionNotFound):
        return False
    has = {str(name) for name in alternatives.get_values_for_type(x509.DNSName)}
    has |= {_address(name) for name in alternatives.get_values_for_type(x509.IPAddress)}
    lasts = certificate.not_valid_after_utc - now.astimezone(UTC) > timedelta(days=RENEW_BEFORE_DAYS)
    return lasts and set(names) <= has


def _address(name: object) -> str:
    return str(name) if isinstance(name, IPv4Address | IPv6Address) else ""


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"
