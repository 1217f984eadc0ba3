"""Readers of what nft prints."""
