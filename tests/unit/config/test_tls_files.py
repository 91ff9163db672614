"""Certificates and keys that the configuration names: read, compared, watched."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from certificate_files import tls_settings
from onhook.config import Config, ConfigError, load
from onhook.config.checks import speaks_tls
from onhook.config.parts import network_settings
from onhook.config.parts import tls_settings as tls_of
from onhook.config.tls_files import file_faults, remarks
from onhook.server.certificates import CertificatePaths


def test_good_files_have_no_fault(tmp_path: Path) -> None:
    good = tls_settings(tmp_path, "sbc.example")
    assert list(file_faults(str(good.certificate), str(good.key), str(good.authorities))) == []
    assert list(file_faults("", "", "")) == []
    both = tmp_path / "both.pem"
    both.write_bytes(good.certificate.read_bytes() + good.key.read_bytes())
    assert list(file_faults(str(both), "", "")) == []


def test_each_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    good, other = tls_settings(tmp_path / "a", "sbc.example"), tls_settings(tmp_path / "b", "sbc.example")
    bad, gone = tmp_path / "bad.pem", str(tmp_path / "gone.pem")
    bad.write_text("nothing of the kind")
    assert list(file_faults(gone, "", gone)) == [
        ("tls_certificate", f"{gone} cannot be read: No such file or directory."),
        ("tls_authorities", f"{gone} cannot be read: No such file or directory."),
    ]
    assert list(file_faults(str(bad), "", str(bad))) == [
        ("tls_certificate", f"{bad} is no PEM file with certificates."),
        ("tls_authorities", f"{bad} is no PEM file with certificates."),
    ]
    ((setting, problem),) = file_faults(str(good.certificate), str(other.key), "")
    assert (setting, "is not that of the certificate" in problem) == ("tls_key", True)
    for key in (str(bad), gone):
        ((setting, problem),) = file_faults(str(good.certificate), key, "")
        assert (setting, key in problem) == ("tls_key", True)


def test_a_key_with_a_password_is_refused_without_asking_for_it(tmp_path: Path) -> None:
    good = tls_settings(tmp_path, "sbc.example")
    key = serialization.load_pem_private_key(good.key.read_bytes(), None)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"secret"),
    )
    good.key.write_bytes(locked)
    ((setting, problem),) = file_faults(str(good.certificate), str(good.key), "")
    assert (setting, problem) == ("tls_key", f"{good.key} is no PEM file with a key without password.")


@pytest.mark.parametrize(
    ("days", "said"),
    [(-2.5, "expired on "), (20.5, "in 20 days"), (29.9, "in 30 days"), (31, "")],
)
def test_the_end_of_our_certificate_is_told_thirty_days_ahead(days: float, said: str, tmp_path: Path) -> None:
    made = tls_settings(tmp_path, "sbc.example", days=days)
    found = remarks(str(made.certificate), str(made.key), datetime.now(UTC))
    assert len(found) == bool(said)
    assert not said or said in found[0]
    assert remarks(str(made.certificate), "", datetime.now(UTC) - timedelta(days=400)) == []


def test_a_key_alone_is_not_used(tmp_path: Path) -> None:
    assert remarks("", "k.pem", datetime.now(UTC)) == [
        "sip.tls_key is not used, because there is no sip.tls_certificate."
    ]
    assert remarks(str(tmp_path / "gone"), "", datetime.now(UTC)) == []  # that is a fault already


def configured(text: str, folder: Path) -> Config:
    file = folder / "onhook.toml"
    file.write_text(text)
    return load(file, {})


def test_the_configuration_says_what_is_wrong_where(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as error:
        configured('[sip]\nhost = "127.0.0.1"\ntls_certificate = "gone.pem"', tmp_path)
    (fault,) = error.value.faults
    assert (fault.setting, fault.place.line) == ("sip.tls_certificate", 3)
    made = tls_settings(tmp_path, "sbc.example", days=3.9)
    text = f'[sip]\ntls_certificate = "{made.certificate}"\ntls_key = "{made.key}"'
    assert any("in 4 days" in warning for warning in configured(text, tmp_path).warnings)


def test_two_ports_of_sip_are_two(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"5070 is already sip\.port"):
        configured("[sip]\ntls = true\ntls_port = 5070", tmp_path)
    assert configured("[sip]\ntls_port = 5070", tmp_path).sip.tls_port == 5070  # nobody listens there


def test_tls_is_on_where_something_speaks_it(tmp_path: Path) -> None:
    trunk = '[trunk.a]\nhost = "127.0.0.1"\n'
    assert not speaks_tls(configured(trunk, tmp_path))
    assert speaks_tls(configured("[sip]\ntls = true", tmp_path))
    assert speaks_tls(configured('[sip]\napi_trunk_transport = "tls"', tmp_path))
    config = configured(trunk + 'transport = "tls"\ntls_name = "sbc.example"', tmp_path)
    assert speaks_tls(config)
    paths = CertificatePaths(tmp_path)
    made = tls_of(config, paths)
    assert (made.certificate, made.key, made.authorities) == (paths.certificate, paths.key, paths.bundle)
    assert (made.names, made.clients) == ({"127.0.0.1": "sbc.example"}, "never")
    settings = network_settings(config, made)
    assert (settings.transports, settings.tls) == (("udp", "tcp", "tls"), made)
    assert network_settings(config).transports == ("udp", "tcp")


def test_files_of_ones_own_take_the_place_of_the_local_authority(tmp_path: Path) -> None:
    own = tls_settings(tmp_path, "sbc.example")
    both = tmp_path / "both.pem"
    both.write_bytes(own.certificate.read_bytes() + own.key.read_bytes())
    text = f'[sip]\ntls_certificate = "{both}"\ntls_authorities = "{own.authorities}"\n'
    text += 'tls_client_certificates = "required"'
    made = tls_of(configured(text, tmp_path), CertificatePaths(tmp_path / "local"))
    assert (made.certificate, made.key, made.authorities) == (both, both, own.authorities)
    assert made.clients == "required"
