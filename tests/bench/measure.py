#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs a command N times and prints medians: "<wall seconds> <cpu seconds> <peak RSS in MB of its largest process>".
Usage: measure.py N LOG COMMAND...     A run that fails ends it, with the command's output on standard error."""
import os, statistics, sys, time

runs, log, command = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
walls, cpus, peak = [], [], 0
for _ in range(runs):
    begun = time.monotonic()
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
    null = os.open("/dev/null", os.O_RDONLY)
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=[
        (os.POSIX_SPAWN_DUP2, null, 0), (os.POSIX_SPAWN_DUP2, out, 1), (os.POSIX_SPAWN_DUP2, out, 2)])
    os.close(out)
    os.close(null)
    _, status, usage = os.wait4(pid, 0)
    walls.append(time.monotonic() - begun)
    if status:
        sys.stderr.write(open(log, errors="replace").read()[-4000:])
        sys.exit(f"measure: status {os.waitstatus_to_exitcode(status)}: {' '.join(command)}")
    cpus.append(usage.ru_utime + usage.ru_stime)
    peak = max(peak, usage.ru_maxrss)
print(f"{statistics.median(walls):.4f} {statistics.median(cpus):.4f} {peak / 1000:.1f}")
