"""Weight manifest, fitted thresholds and the small networks that ship with facekit."""
