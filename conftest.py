pytest_plugins = ["callgate.plugin"]
