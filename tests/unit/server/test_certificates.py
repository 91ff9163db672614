"""The local authority and the certificate that it signs."""

import os
import ssl
import stat
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import certifi
import pytest
from cryptography import x509

from onhook.server.certificates import (
    RENEW_BEFORE_DAYS,
    VALID_DAYS,
    CertificateError,
    CertificatePaths,
    client_context,
    env_lines,
    prepare,
)

NOW = datetime.now(UTC)
KEY = "c2VjcmV0"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "certificates"


def read(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def names_of(path: Path) -> set[str]:
    names = read(path).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    addresses = {str(address) for address in names.get_values_for_type(x509.IPAddress)}
    return addresses | set(names.get_values_for_type(x509.DNSName))


def handshake(paths: CertificatePaths, name: str, trust: ssl.SSLContext) -> None:
    """A TLS handshake in memory; raises ssl.SSLError if the client does not trust the server."""
    server_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_side.load_cert_chain(paths.certificate, paths.key)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = trust.wrap_bio(to_client, to_server, server_hostname=name)
    server = server_side.wrap_bio(to_server, to_client, server_side=True)
    pending = [client, server]
    for _ in range(10):
        for side in list(pending):
            try:
                side.do_handshake()
                pending.remove(side)
            except ssl.SSLWantReadError:
                pass
    assert not pending


def test_first_start_makes_everything(directory: Path) -> None:
    paths = prepare(directory, ["sbc.example", "192.0.2.1"], NOW)
    assert names_of(paths.certificate) == {"localhost", "127.0.0.1", "::1", "sbc.example", "192.0.2.1"}
    read(paths.certificate).verify_directly_issued_by(read(paths.authority))
    assert read(paths.certificate).not_valid_after_utc - NOW > timedelta(days=VALID_DAYS - 1)


def test_keys_are_for_the_owner_only(directory: Path) -> None:
    before = os.umask(0)
    try:
        paths = prepare(directory, [], NOW)
    finally:
        os.umask(before)
    for path in (paths.authority_key, paths.key):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {path.name for path in directory.iterdir()} == {
        "ca.pem",
        "ca-key.pem",
        "server.pem",
        "server-key.pem",
        "ca-bundle.pem",
    }, "no temporary file stays"


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1", "sbc.example"])
def test_a_client_with_the_bundle_trusts_the_server(directory: Path, name: str) -> None:
    paths = prepare(directory, ["sbc.example"], NOW)
    handshake(paths, name, client_context(paths))
    handshake(paths, name, ssl.create_default_context(cafile=str(paths.authority)))


def test_a_client_without_it_does_not(directory: Path) -> None:
    paths = prepare(directory, [], NOW)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(paths, "localhost", ssl.create_default_context(cafile=certifi.where()))


def test_no_other_name_is_vouched_for(directory: Path) -> None:
    paths = prepare(directory, [], NOW)
    with pytest.raises(ssl.SSLCertVerificationError, match=r"localhost\.example"):
        handshake(paths, "localhost.example", client_context(paths))


def test_the_bundle_holds_the_public_roots_too(directory: Path) -> None:
    paths = prepare(directory, [], NOW)
    public = ssl.create_default_context(cafile=certifi.where()).cert_store_stats()["x509_ca"]
    assert client_context(paths).cert_store_stats()["x509_ca"] == public + 1


def test_a_second_start_changes_nothing(directory: Path) -> None:
    first = {
        path.name: path.read_bytes() for path in prepare(directory, ["a.example"], NOW).directory.iterdir()
    }
    prepare(directory, ["a.example"], NOW + timedelta(days=100))
    assert {path.name: path.read_bytes() for path in directory.iterdir()} == first


def test_fewer_names_need_no_new_certificate(directory: Path) -> None:
    before = prepare(directory, ["a.example"], NOW).certificate.read_bytes()
    assert prepare(directory, [], NOW).certificate.read_bytes() == before


def test_a_new_name_needs_one_by_the_same_authority(directory: Path) -> None:
    paths = prepare(directory, [], NOW)
    authority, certificate = paths.authority.read_bytes(), paths.certificate.read_bytes()
    prepare(directory, ["new.example"], NOW)
    assert paths.authority.read_bytes() == authority
    assert paths.certificate.read_bytes() != certificate
    assert "new.example" in names_of(paths.certificate)


@pytest.mark.parametrize(
    ("days_left", "renewed"), [(RENEW_BEFORE_DAYS + 1, False), (RENEW_BEFORE_DAYS - 1, True)]
)
def test_it_is_renewed_near_its_end(directory: Path, days_left: int, *, renewed: bool) -> None:
    before = prepare(directory, [], NOW).certificate.read_bytes()
    after = prepare(directory, [], NOW + timedelta(days=VALID_DAYS - days_left)).certificate.read_bytes()
    assert (after != before) == renewed


@pytest.mark.parametrize("spoilt", ["certificate", "key", "bundle"])
@pytest.mark.parametrize("how", ["missing", "empty", "garbage"])
def test_what_can_be_made_again_is(directory: Path, spoilt: str, how: str) -> None:
    path: Path = getattr(prepare(directory, [], NOW), spoilt)
    path.unlink() if how == "missing" else path.write_bytes(b"" if how == "empty" else b"garbage")
    paths = prepare(directory, [], NOW)
    handshake(paths, "localhost", client_context(paths))


def test_a_key_of_another_certificate_is_noticed(directory: Path, tmp_path: Path) -> None:
    paths = prepare(directory, [], NOW)
    paths.key.write_bytes(prepare(tmp_path / "other", [], NOW).key.read_bytes())
    handshake(prepare(directory, [], NOW), "localhost", client_context(paths))


def test_a_certificate_of_another_authority_is_noticed(directory: Path, tmp_path: Path) -> None:
    paths, other = prepare(directory, [], NOW), prepare(tmp_path / "other", [], NOW)
    paths.key.write_bytes(other.key.read_bytes())
    paths.certificate.write_bytes(other.certificate.read_bytes())
    handshake(prepare(directory, [], NOW), "localhost", client_context(paths))


@pytest.mark.parametrize("spoilt", ["authority", "authority_key"])
@pytest.mark.parametrize("how", ["missing", "garbage"])
def test_half_an_authority_is_an_error_that_says_what_to_do(directory: Path, spoilt: str, how: str) -> None:
    """A new one would silently break every client that trusts the old one."""
    path: Path = getattr(prepare(directory, [], NOW), spoilt)
    path.unlink() if how == "missing" else path.write_bytes(b"garbage")
    with pytest.raises(CertificateError, match=f"{path.name}.*Delete .*onhook env"):
        prepare(directory, [], NOW)


def test_env_lines_work_in_a_shell(tmp_path: Path) -> None:
    directory = tmp_path / "a 'quoted' $HOME directory"
    paths = prepare(directory, [], NOW)
    lines = env_lines(paths, 8443, KEY)
    names = [line.removeprefix("export ").partition("=")[0] for line in lines]
    assert names == [
        "REQUESTS_CA_BUNDLE",
        "SSL_CERT_FILE",
        "NODE_EXTRA_CA_CERTS",
        "COMMUNICATION_SERVICES_CONNECTION_STRING",
    ]
    script = "\n".join([*lines, *(f'printf "%s\\n" "${name}"' for name in names)])
    told = subprocess.run(
        ["sh", "-c", script], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert told == [
        str(paths.bundle),
        str(paths.bundle),
        str(paths.authority),
        f"endpoint=https://localhost:8443/;accesskey={KEY}",
    ]


def test_env_lines_name_whole_paths(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(directory, [], NOW)
    monkeypatch.chdir(directory.parent)
    lines = env_lines(CertificatePaths(Path("certificates")), 1, KEY, host="sbc.example")
    assert str(directory / "ca-bundle.pem") in lines[0]
    assert "https://sbc.example:1/" in lines[3]
