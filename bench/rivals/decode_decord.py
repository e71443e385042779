"""The clips of bench/bench_decode.cpp through decord, one thread: clips a second for each file."""
import os
import random
import sys
import time

import decord

for path in sys.argv[1:]:
    reader = decord.VideoReader(path, width=224, height=224, num_threads=1)
    count = len(reader)
    draws = random.Random(1)
    begun = time.perf_counter()
    clips = 0
    while time.perf_counter() - begun < 3:
        start = draws.randrange(max(1, count - 61))
        reader.get_batch([min(start + 4 * t, count - 1) for t in range(16)]).asnumpy()
        clips += 1
    seconds = time.perf_counter() - begun
    print(f"decord {os.path.basename(path)} {clips / seconds:.2f}", flush=True)
