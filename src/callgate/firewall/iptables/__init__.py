"""Readers of what iptables and ipset print."""
