"""Other projects' calls on facekit's pipeline: one module a project."""
