"""Loads the plugin in a clone."""

pytest_plugins = ["callgate.plugin"]
