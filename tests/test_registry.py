"""Names, aliases, nearest names, and what other packages add."""

from __future__ import annotations

import importlib.metadata
from dataclasses import dataclass

import pytest

from facekit.errors import InvalidArgument, UnknownName
from facekit.registry import Registry


@dataclass(frozen=True)
class Thing:
    name: str
    aliases: tuple[str, ...] = ()


@pytest.fixture
def registry():
    filled = Registry("thing")
    for thing in (Thing("Facenet", ("FaceNet-128",)), Thing("ArcFace"), Thing("zebra")):
        assert filled.register(thing) is thing
    return filled


def test_names_and_aliases_whatever_their_case(registry):
    for name in ("Facenet", "FACENET", "facenet-128", "FaceNet-128"):
        assert registry.get(name).name == "Facenet"
        assert name in registry
    assert "nothing" not in registry


def test_names_are_sorted_and_without_aliases(registry):
    assert registry.names() == ["ArcFace", "Facenet", "zebra"]
    assert [thing.name for thing in registry] == registry.names()


@pytest.mark.parametrize("name", ["facenet", "FACENET-128", "new"])
def test_a_taken_name_is_refused_and_nothing_changes(registry, name):
    with pytest.raises(InvalidArgument, match=r"thing named 'facenet.*replace=True"):
        registry.register(Thing(name, ("Facenet",)))
    assert registry.names() == ["ArcFace", "Facenet", "zebra"]
    assert "new" not in registry


def test_replacing_takes_the_place_of_all_that_are_in_the_way(registry):
    new = Thing("facenet", ("Zebra", "horse"))
    registry.register(new, replace=True)
    assert registry.names() == ["ArcFace", "facenet"]
    for name in ("FaceNet", "zebra", "horse"):
        assert registry.get(name) is new
    assert "facenet-128" not in registry


def test_a_name_that_differs_from_its_alias_only_in_case(registry):
    registry.register(Thing("Own", ("own", "OWN")))
    assert registry.get("oWN").name == "Own"


def test_unregistering_forgets_the_aliases(registry):
    registry.unregister("facenet-128")
    assert registry.names() == ["ArcFace", "zebra"]
    assert "facenet" not in registry
    registry.register(Thing("FaceNet-128"))
    with pytest.raises(UnknownName):
        registry.unregister("horse")


@pytest.mark.parametrize(
    ("name", "nearest"), [("facnet", "Facenet"), ("ARCFACES", "ArcFace"), ("zebre", "zebra")]
)
def test_an_unknown_name_names_the_nearest(registry, name, nearest):
    with pytest.raises(UnknownName) as caught:
        registry.get(name)
    assert caught.value.nearest[0] == nearest
    assert f"no thing named {name!r}" in str(caught.value)
    assert f"Did you mean {nearest}" in str(caught.value)


@pytest.mark.parametrize("name", ["qqqq", "", None, 7])
def test_a_name_like_no_other_names_them_all(registry, name):
    with pytest.raises(UnknownName, match="Known: ArcFace, Facenet, zebra"):
        registry.get(name)


# -- prefixes ------------------------------------------------------------------------------


def test_a_prefix_makes_what_is_asked_for(registry):
    registry.register_prefix("Far", lambda name: Thing(f"far:{name}"))
    assert registry.get("far:Away").name == "far:Away"
    assert registry.get("FAR:a:b").name == "far:a:b"
    assert registry.names() == ["ArcFace", "Facenet", "zebra"]
    assert "far:Away" not in registry
    for name in ("far", "near:Away", ":Away"):
        with pytest.raises(UnknownName, match="no thing named"):
            registry.get(name)
    with pytest.raises(UnknownName, match="far:Away"):
        registry.unregister("far:Away")


def test_who_makes_it_says_which_names_there_are(registry):
    def make(name):
        raise UnknownName("far thing", name, ["Away"])

    registry.register_prefix("far", make)
    with pytest.raises(UnknownName, match=r"no far thing named 'Awy'.*Did you mean Away"):
        registry.get("far:Awy")


def test_a_registered_name_goes_before_a_prefix(registry):
    registry.register_prefix("far", lambda _: pytest.fail("made"))
    registry.register(Thing("far:Away"))
    assert registry.get("Far:away").name == "far:Away"


@pytest.mark.parametrize("prefix", ["", "far:", "FAR"])
def test_a_prefix_that_is_taken_or_no_name_is_refused(registry, prefix):
    registry.register_prefix("far", Thing)
    with pytest.raises(InvalidArgument, match="prefix of things"):
        registry.register_prefix(prefix, Thing)


# -- other packages ----------------------------------------------------------------------


class Entry:
    """An entry point that registers a thing when it is loaded and called."""

    def __init__(self, registry, name, error=None):
        self.registry, self.name, self.error, self.loaded = registry, name, error, 0

    def load(self):
        self.loaded += 1
        if self.error:
            raise self.error
        return lambda: self.registry.register(Thing(self.name))


@pytest.fixture
def plugins(monkeypatch):
    """A registry whose group has the entry points in the list; asked for how often."""
    registry, entries, asked = Registry("thing", "facekit.things"), [], []

    def entry_points(*, group):
        asked.append(group)
        return entries

    monkeypatch.setattr(importlib.metadata, "entry_points", entry_points)
    registry.register(Thing("built-in"))
    return registry, entries, asked


def test_other_packages_are_asked_only_when_needed(plugins):
    registry, entries, asked = plugins
    entries.append(Entry(registry, "theirs"))
    assert registry.get("built-in").name == "built-in"
    assert "built-in" in registry
    assert asked == []
    assert registry.get("Theirs").name == "theirs"
    assert registry.names() == ["built-in", "theirs"]
    with pytest.raises(UnknownName):
        registry.get("nobodys")
    assert asked == ["facekit.things"]
    assert entries[0].loaded == 1


@pytest.mark.parametrize("ask", [lambda r: r.names(), list, lambda r: "theirs" in r])
def test_listing_and_looking_ask_too(plugins, ask):
    registry, entries, _ = plugins
    entries.append(Entry(registry, "theirs"))
    assert ask(registry)
    assert entries[0].loaded == 1


def test_a_package_that_fails_does_not_take_the_others_along(plugins):
    registry, entries, _ = plugins
    entries.append(Entry(registry, "broken", ImportError("no module named torch")))
    entries.append(Entry(registry, "theirs"))
    entries.append(Entry(registry, "built-in"))  # a name that is taken
    with pytest.warns(RuntimeWarning) as caught:
        assert registry.names() == ["built-in", "theirs"]
    messages = [str(warning.message) for warning in caught]
    assert "broken" in messages[0]
    assert "no module named torch" in messages[0]
    assert "already registered" in messages[1]


def test_a_source_is_asked_anew_each_time(registry):
    shelf = {}
    registry.register_source(lambda: shelf)
    assert "Own" not in registry
    shelf["Own"] = lambda: Thing("Own")
    assert registry.get("OWN") == Thing("Own")
    assert registry.names() == ["ArcFace", "Facenet", "Own", "zebra"]
    assert [thing.name for thing in registry] == registry.names()
    assert not registry.is_registered("Own")
    with pytest.raises(UnknownName, match="Did you mean Own"):
        registry.get("Owns")
    with pytest.raises(UnknownName):
        registry.unregister("Own")
    del shelf["Own"]
    assert "Own" not in registry.names()


def test_a_registered_name_stands_before_a_sources(registry):
    registry.register_source(lambda: {"FACENET-128": lambda: Thing("FACENET-128")})
    assert registry.get("facenet-128").name == "Facenet"
    assert registry.names() == ["ArcFace", "Facenet", "zebra"]


def test_what_a_source_cannot_make_hides_nothing(registry):
    def broken():
        raise InvalidArgument("It is torn.")

    registry.register_source(lambda: {"torn": broken})
    with pytest.warns(RuntimeWarning, match="'torn' is left out: It is torn"):
        assert registry.names() == ["ArcFace", "Facenet", "zebra"]
    with pytest.raises(InvalidArgument, match="It is torn"):
        registry.get("torn")
