"""bench/rate.h for the sides in Python: the machine's rate, GFLOP/s, and times of repeated calls between
probes of it. The library is built by the first process of a comparison; those it starts find it by
the environment.
"""

import ctypes
import functools
import os
import pathlib
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
PLACE = "FRAMEFOLD_RATE_LIBRARY"
GOOD = 0.85  # of the best rate: less is a machine that something else holds, as in rate.cpp


@functools.cache
def library():
    if PLACE not in os.environ:
        library.folder = tempfile.TemporaryDirectory()  # goes with this process
        made = f"{library.folder.name}/rate.so"
        subprocess.run(["g++", "-O2", "-std=c++20", "-shared", "-fPIC", "-pthread", f"-I{ROOT}",
                        ROOT / "bench/rate.cpp", "-o", made], check=True)
        os.environ[PLACE] = made
    probe = ctypes.CDLL(os.environ[PLACE]).framefold_rate
    probe.restype = ctypes.c_double
    return probe


def rate():
    return library()()


class Repetitions:
    def __init__(self, probe=rate, clock=time.perf_counter):
        self.probe, self.clock = probe, clock
        self.parts, self.seconds = [], []
        self.before, self.begun = probe(), clock()

    def add(self, seconds):
        self.seconds.append(seconds)
        if self.clock() - self.begun > 0.2:
            self.close()

    def close(self):
        after = self.probe()
        self.parts.append((min(self.before, after), self.seconds))
        self.seconds, self.before, self.begun = [], after, self.clock()

    def kept(self):
        """The times with good probes on either side, and the least of those probes."""
        if self.seconds:
            self.close()
        best = max(rate for rate, _ in self.parts)
        kept = [part for part in self.parts if part[0] >= GOOD * best]
        return [one for _, seconds in kept for one in seconds], min(rate for rate, _ in kept)
