"""Faces to learn from: pictures -> aligned crops in shards, without the people of a test set."""
