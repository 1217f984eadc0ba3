"""Remedies: the smallest change that closes what an audit found, proven on the very host before anybody sees it."""
