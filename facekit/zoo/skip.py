"""No detection: the picture is the face."""

from facekit.zoo.registries import detectors
from facekit.zoo.specs import DetectorSpec

detectors.register(
    DetectorSpec(
        name="skip",
        kind="skip",
        landmarks=False,
        note="The whole picture is taken as the face; nothing is aligned.",
    )
)
