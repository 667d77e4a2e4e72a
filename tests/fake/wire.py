#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A line to a server on loopback, with the faults of real ones. Python 3 standard library only.

    wire.py --ready FILE --to PORT [options]     runs until killed; FILE holds the port it listens on

--delay MS       each direction's bytes come so much later
--rate MB        megabytes a second, in each direction of each connection
--reset A,B,…    the first connection that has carried A bytes towards the server is reset, then one that has carried B, …
                 (random in A-B: "1000-2000")
--seed N         of the random ones
"""
import argparse, os, queue, random, socket, struct, threading, time

BLOCK = 64 << 10


class Line:
    def __init__(self, opts):
        self.opts, self.lock, self.resets = opts, threading.Lock(), []
        chance = random.Random(opts.seed)
        for word in filter(None, opts.reset.split(",")):
            first, _, last = word.partition("-")
            self.resets.append(chance.randint(int(first), int(last or first)))

    def due(self, carried):
        """Is this connection the next to be reset? Each entry is used once."""
        with self.lock:
            if self.resets and carried >= self.resets[0]:
                self.resets.pop(0)
                return True
        return False


def reset(*sockets):
    for s in sockets:
        try:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            s.close()
        except OSError:
            pass


def carry(line, source, target, up):
    """Bytes of one direction. A queue between reading and writing makes the delay one of time, not of rate."""
    waiting, gone = queue.Queue(maxsize=256), threading.Event()

    def write():
        while True:
            due, data = waiting.get()
            if data is None:
                break
            time.sleep(max(0, due - time.monotonic()))
            try:
                target.sendall(data)
            except OSError:
                gone.set()
        try:
            target.shutdown(socket.SHUT_WR)
        except OSError:
            pass

    threading.Thread(target=write, daemon=True).start()
    carried, free_at = 0, time.monotonic()
    while not gone.is_set():
        try:
            data = source.recv(BLOCK)
        except OSError:
            data = b""
        if not data:
            break
        if up and line.due(carried + len(data)):
            reset(source, target)
            break
        carried += len(data)
        now = time.monotonic()
        if line.opts.rate:
            free_at = max(free_at, now) + len(data) / (line.opts.rate * 1e6)
            time.sleep(max(0, free_at - now))
        waiting.put((time.monotonic() + line.opts.delay / 1000, data))
    waiting.put((0, None))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--ready", required=True)
    p.add_argument("--to", type=int, required=True)
    p.add_argument("--delay", type=float, default=0)
    p.add_argument("--rate", type=float, default=0)
    p.add_argument("--reset", default="")
    p.add_argument("--seed", type=int, default=1)
    opts = p.parse_args()
    line, server = Line(opts), socket.create_server(("127.0.0.1", 0), backlog=64)
    with open(opts.ready + ".new", "w") as f:
        f.write(f"{server.getsockname()[1]}\n")
    os.rename(opts.ready + ".new", opts.ready)
    while True:
        near, _ = server.accept()
        try:
            far = socket.create_connection(("127.0.0.1", opts.to))
        except OSError:
            reset(near)
            continue
        for s in (near, far):
            s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=carry, args=(line, near, far, True), daemon=True).start()
        threading.Thread(target=carry, args=(line, far, near, False), daemon=True).start()


main()
