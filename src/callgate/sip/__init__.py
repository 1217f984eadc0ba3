"""SIP, sans-IO: messages, streams, digests, transactions, dialogs and sessions; no sockets, no clocks."""
