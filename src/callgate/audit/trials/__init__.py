"""What the site's test phones get of a host, from every place they can stand at, and what it proves."""
