"""The daemon's certificate: made once, renewed with the same key, and on a disk that is full."""

from pathlib import Path

import pytest
from cryptography import x509

from core.clock import SECOND, ManualClock
from daemon.access.certificates import CERTIFICATE, KEY, Certificates
from daemon.config import ConfigError

DAY = 86_400 * SECOND


class FullDisk(Certificates):
    """Writes nothing while `full`."""

    full = False

    def _write(self, path: Path, content: bytes) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        super()._write(path, content)


def test_it_is_renewed_in_time_and_its_key_stays(tmp_path: Path) -> None:
    clock = ManualClock()
    mine = Certificates(tmp_path, ("bots.example",), clock)
    first = mine.current()
    assert Certificates(tmp_path, ("bots.example",), clock).current() == first
    assert not mine.due()
    clock.advance(366 * DAY)
    assert not mine.due()
    clock.advance(2 * DAY)
    assert mine.due()
    second = mine.current()
    assert (second.key, second.fingerprint) == (first.key, first.fingerprint)
    assert second.certificate != first.certificate
    assert not mine.due()
    for name in (KEY, CERTIFICATE):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


def test_other_names_make_another_certificate(tmp_path: Path) -> None:
    clock = ManualClock()
    first = Certificates(tmp_path, (), clock).current()
    second = Certificates(tmp_path, ("10.1.2.3",), clock).current()
    assert second.fingerprint == first.fingerprint
    found = x509.load_pem_x509_certificate(second.certificate)
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert "10.1.2.3" in map(str, names.get_values_for_type(x509.IPAddress))


def test_a_full_disk_keeps_the_old_one_in_force_until_it_ends(tmp_path: Path) -> None:
    clock = ManualClock()
    mine = FullDisk(tmp_path, (), clock)
    first = mine.current()
    mine.full = True
    clock.advance(370 * DAY)
    assert mine.due()
    assert mine.current() == first
    assert not mine.due()  # not at every handshake
    clock.advance(2 * 3600 * SECOND)
    assert mine.due()
    mine.full = False
    assert mine.current().certificate != first.certificate
    mine.full = True
    clock.advance(400 * DAY)
    with pytest.raises(ConfigError, match="No space left on device"):
        mine.current()


def test_files_that_are_none_say_what_to_do(tmp_path: Path) -> None:
    (tmp_path / KEY).write_text("nonsense")
    with pytest.raises(ConfigError, match=r"remove tls\.key and tls\.cert there"):
        Certificates(tmp_path, (), ManualClock()).current()
