#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# The lint can fail: sources made wrong on purpose are told so, and ours are not.
# shellcheck source=tests/lib.sh
. "$(dirname "$0")/../lib.sh"

mkdir -p base runtime registry
cat >runtime/wrong.h <<'EOT'
/* SPDX-License-Identifier: Apache-2.0 */
#ifndef WRONG_H
#define WRONG_H
#endif
EOT
cat >runtime/wrong.c <<'EOT'
/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include "runtime/wrong.h"
#include "registry/push.h"
#include "base/buf.h"
#include <jansson.h>
int f(void)
{
    pthread_create(0, 0, 0, 0);
}
EOT
echo 'int no_licence;' >base/bare.c
t "layers finds what is wrong" not awk -f "$LIB_DIR/lint/layers.awk" runtime/wrong.h runtime/wrong.c base/bare.c
cp "$T/out" found
for text in 'wrong.h:2: guard is WRONG_H, should be RUNTIME_WRONG_H' 'wrong.c:2: own header "runtime/wrong.h" is not first' \
    'wrong.c:4: runtime may not see registry' 'wrong.c:6: <jansson.h> belongs behind' 'wrong.c:9: threads start in base/pool' \
    'bare.c:1: first line is not the licence line'; do
    t "it says: $text" has found "$text"
done
t "and nothing else" sh -c '[ "$(wc -l <found)" -eq 6 ]'

{
    echo '/* SPDX-License-Identifier: Apache-2.0 */'
    echo 'static void deep(void)'
    echo '{'
    echo 'if (1) { if (2) { if (3) { if (4) { if (5) { x("{{{ // no comment"); } } } } }'
    echo '}'
    echo 'static void long_one(void)'
    echo '{'
    seq 1 75 | sed 's/.*/    x();/'
    echo '}'
    echo 'int x; // a comment'
    echo '/* TODO later */'
} >long.c
t "shape finds what is wrong" not awk -f "$LIB_DIR/lint/shape.awk" long.c
cp "$T/out" found
for text in 'long.c:4: nests 5 deep' 'long.c:7: function of 77 lines' 'long.c:84: // comment' 'long.c:85: TODO without'; do
    t "it says: $text" has found "$text"
done
t "and nothing else" sh -c '[ "$(wc -l <found)" -eq 4 ]'

cd "$SOURCE_DIR" || exit 1
# shellcheck disable=SC2046 # one word a file
t "our layers hold" awk -f tests/lint/layers.awk $(find base aws registry runtime builder deploy cli tests -name '*.[ch]')
# shellcheck disable=SC2046
t "our shapes hold" awk -f tests/lint/shape.awk $(find base aws registry runtime builder deploy cli tests -name '*.[ch]')
