"""docs/models.md says what the specs say."""

from pathlib import Path

from facekit import model_cards, store, zoo

PAGE = Path(__file__).resolve().parent.parent / "docs" / "models.md"


def test_the_page_is_that_of_the_specs():
    made = "python -m facekit.model_cards > docs/models.md makes it again"
    assert PAGE.read_text(encoding="utf-8") == model_cards.page(), made


def test_every_model_has_its_card_with_its_terms_and_weights():
    page = model_cards.page()
    for spec in (*zoo.recognizers, *zoo.detectors):
        card = page.split(f"### {spec.name}")[1].split("\n### ")[0]
        assert spec.source in card
        for key in spec.weights:
            entry = store.get(key)
            assert f"`{key}`, {entry.file}" in card
            assert entry.licence.weights in card
            assert entry.sha256 is None or entry.sha256[:16] in card


def test_scaling_in_words():
    words = {spec.name: model_cards._scaling(spec) for spec in zoo.recognizers}
    assert words["Buffalo_L"] == "(x - 127.5) / 127.5"
    assert words["OpenFace"] == "x / 255"
    assert words["SFace"] == "0..255 as it is"
    assert words["Facenet"] == "each crop by its own mean and deviation"
    assert words["ConvFaceNet"] == "(x - (123.675, 116.28, 103.53)) / (58.395, 57.12, 57.375)"
    assert words["VGG-Face"] == "(x - (129.186, 104.762, 93.594))"
