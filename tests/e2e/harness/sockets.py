"""Addresses and connections."""

import random
import socket


def connect(address, timeout=10, source=None):
    """A connected stream socket. `address` is a path, "@name" in the abstract namespace, or a
    (host, port) pair; every later operation fails after `timeout` seconds."""
    if isinstance(address, tuple):
        return socket.create_connection(address, timeout=timeout, source_address=source)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(timeout)
    connection.connect("\0" + address[1:] if address.startswith("@") else address)
    return connection


def free_port(host="127.0.0.1"):
    """A port nobody listens on. It lies below the range from which the kernel picks ports for
    outgoing connections, so that none of those takes it before its server does."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    while True:
        port = random.randint(10000, 32000)
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            try:
                probe.bind((host, port))
                return port
            except OSError:
                continue


def closed_by_peer(connection):
    """Whether the peer closes, in an orderly way or not, without sending anything more."""
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True
