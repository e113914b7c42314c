"""Bridges: models that other packages run, behind facekit's contracts."""
