"""Probes of many ports: whom to ask what, how fast, and what the answers tell of the product behind."""
