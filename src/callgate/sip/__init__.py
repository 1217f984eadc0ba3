"""SIP, sans-IO: builds requests and recognises responses; no sockets."""
