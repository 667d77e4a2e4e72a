#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A server on loopback that answers only when two have come: who comes one after the other waits in vain. Prints its port."""
import socket

server = socket.create_server(("127.0.0.1", 0))
server.settimeout(60)
print(server.getsockname()[1], flush=True)
both = [server.accept()[0] for _ in range(2)]
for each in both:
    each.sendall(b"both are here\n")
    each.close()
