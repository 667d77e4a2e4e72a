#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the contexts that tests/bench/run copies, the same on every run: corpus.py many|large|app DIR

many   58,900 files in 5,600 directories, about 300 MB of text, half of them below 0.5 KB (a node_modules)
large  53 files, 1,074 MB of program code, one fifth of it random
app    200 small files and a two-stage Dockerfile of ten instructions
The text is cut out of Python's own library, the code out of the programs of this machine.
"""
import glob
import os
import random
import sys
import sysconfig


def pool(patterns, limit):
    """Some bytes of the real thing, to cut pieces from."""
    out = bytearray()
    for pattern in patterns:
        for path in sorted(glob.glob(pattern, recursive=True)):
            if os.path.isfile(path) and not os.path.islink(path):
                with open(path, "rb") as f:
                    out += f.read()
            if len(out) >= limit:
                return bytes(out[:limit])
    return bytes(out)


def write(path, data):
    with open(path, "wb") as f:
        f.write(data)


def many(top, rng):
    text = pool([sysconfig.get_paths()["stdlib"] + "/**/*.py"], 24 << 20)
    directories = [top]
    for i in range(5600):
        parent = directories[rng.randrange(max(0, len(directories) - 400), len(directories))]
        path = os.path.join(parent if parent.count("/") < top.count("/") + 9 else top, "package-%d" % i)
        os.mkdir(path)
        directories.append(path)
    for i in range(58900):
        size = min(int(rng.lognormvariate(6.3, 2.1)), 1 << 20)
        at = rng.randrange(len(text) - size)
        write(os.path.join(directories[rng.randrange(len(directories))], "module-%d.js" % i), text[at : at + size])


def large(top, rng):
    code = pool(["/usr/bin/*", "/usr/lib/**/*.so*"], 300 << 20)
    for i in range(53):
        size = 1074000000 // 53
        at = rng.randrange(len(code) - size)
        noise = size // 5
        write(os.path.join(top, "program-%d" % i), code[at : at + size - noise] + rng.randbytes(noise))


DOCKERFILE = """FROM node:alpine AS build
WORKDIR /src
ENV MODE=production
COPY package.json ./
RUN true
COPY . .
RUN cat src/module-7.js >/built
FROM node:alpine
COPY --from=build /built /srv/built
CMD ["cat", "/srv/built"]
"""


def app(top, rng):
    text = pool([sysconfig.get_paths()["stdlib"] + "/*.py"], 2 << 20)
    os.mkdir(os.path.join(top, "src"))
    for i in range(199):
        at = rng.randrange(len(text) - 4000)
        write(os.path.join(top, "src", "module-%d.js" % i), text[at : at + rng.randrange(200, 4000)])
    write(os.path.join(top, "package.json"), b'{"name": "app"}\n')
    write(os.path.join(top, "Dockerfile"), DOCKERFILE.encode())


def main():
    kind, top = sys.argv[1:]
    os.makedirs(top)
    {"many": many, "large": large, "app": app}[kind](top.rstrip("/"), random.Random(7))


main()
