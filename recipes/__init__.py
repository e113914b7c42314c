"""Training recipes that come with facekit, one YAML file each."""
