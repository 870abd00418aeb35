"""The web face: the receiver of notifications, the JSON API, health and metrics, and the server under them."""
