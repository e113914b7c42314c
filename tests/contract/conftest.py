"""What the batteries of detectors and recognizers share."""

import pytest

from facekit import store
from facekit.errors import WeightsUnavailable
from facekit.store import layout, locate, manifest


@pytest.fixture
def assert_says_what_is_missing(monkeypatch, tmp_path):
    """On a machine without weights and network: the use of a spec names all that is needed."""
    monkeypatch.setenv("FACEKIT_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("FACEKIT_OFFLINE", "1")
    monkeypatch.delenv("FACEKIT_WEIGHTS", raising=False)
    for variable in ("HOME", "DEEPFACE_HOME", "INSIGHTFACE_HOME", "TORCH_HOME"):
        monkeypatch.setenv(variable, str(tmp_path / "nobody"))
    monkeypatch.setattr(locate, "_module_dirs", lambda _: [])
    manifest.load()
    monkeypatch.setattr(manifest, "shipped_dir", lambda: tmp_path / "shipped")

    def check(spec, use):
        with pytest.raises(WeightsUnavailable) as caught:
            use()
        entry = store.get(spec.weights[0])
        message = str(caught.value)
        assert entry.file in message
        assert entry.licence.weights in message
        if entry.size:
            assert f"{entry.size / 1e6:.2f} MB" in message
        else:
            assert (
                f"about {entry.about / 1e6:.0f} MB" if entry.about else "size not known" in message
            )
        assert all(url.partition("#")[0] in message for url in entry.urls)
        assert all(place.distribution in message for place in entry.package)
        assert str(entry.local or layout.weights_dir() / entry.file) in message
        assert not any(path.is_file() for path in (tmp_path / "home").rglob("*"))

    return check
