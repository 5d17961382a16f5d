"""The schema's history, forward only: a mistake is mended by the next migration."""
