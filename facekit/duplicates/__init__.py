"""Photos that show the same picture: saved again, resized, slightly cropped, turned by EXIF."""
