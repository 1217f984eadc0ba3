"""Phones that speak from a vantage: a program that opens sockets there, and the network it makes here."""
