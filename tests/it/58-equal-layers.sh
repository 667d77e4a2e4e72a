#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Layers of one digest have one tree, whatever was below the step that made it: nothing of that stage is in it.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"
need overlay busybox

mkdir ctx
t "a base" busybox_image base:1
cat >ctx/Dockerfile <<'F'
FROM base:1 AS x
RUN mkdir -p /x/d /x/e && echo secret >/x/d/f && chmod 700 /x /home && ln -s f /x/d/l && touch -d '2001-02-03 04:05:06' /x/d /x/e /x /home
# Opened for writing, a time put back, a directory made and removed, another opaque one: the layer is empty, the upper directory was not.
RUN : >>/x/d/f && touch -d '2001-02-03 04:05:06' /x/d && mkdir /x/e/t && rmdir /x/e/t && touch -d '2001-02-03 04:05:06' /x/e && touch -d '2001-02-03 04:05:06' /home /x

FROM base:1 AS y
RUN true
RUN find /x 2>/dev/null; stat -c '%a' /home
F
t "a step that says nothing new" slipway build --no-cache --target x -t x:1 ctx
t "an equal layer on another base" slipway build --no-cache --progress plain --target y -t y:1 ctx
cp "$T/err" said
t "... has nothing of the first" sh -c '! grep -E "^#[0-9]+ /x" said'
t "... nor its modes" matches said ' 755$'
t "nor has a container" sh -c '[ -z "$(slipway run y:1 find /x 2>/dev/null)" ] && [ "$(slipway run y:1 stat -c %a /home 2>/dev/null)" = 755 ]'
t "the first is whole" sh -c '[ "$(slipway run x:1 cat /x/d/l 2>/dev/null)" = secret ] && [ "$(slipway run x:1 stat -c "%a %Y" /x 2>/dev/null)" = "700 981173106" ]'
