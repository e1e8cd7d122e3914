"""A loopback port for a server that is told its port: below those of outgoing connections, any of which could take it first."""
import random
import socket


def free_port():
    while True:
        port = random.SystemRandom().randrange(15000, 32768)
        with socket.socket() as s:
            try:
                s.bind(('127.0.0.1', port))
                return port
            except OSError:
                pass
