"""What bench/rivals/decode printed, as JSON: clips a second by file; `share` is that of decoding alone."""
import datetime
import json
import pathlib
import re
import subprocess
import sys

rows = {}
for line in open(sys.argv[1]):
    words = line.split()
    if match := re.match(r"decode/(clips|pass)/(\S+)", words[0]):
        value = {name: float(re.search(name + r" (\S+)", line)[1].replace("k", "e3"))
                 for name in ("clips/s", "floor")}
        row = rows.setdefault(match[2], {})
        row["framefold" if match[1] == "clips" else "framefold_pass"] = value["clips/s"]
        row["share" if match[1] == "clips" else "share_pass"] = value["floor"]
    elif words[0] in ("opencv", "decord"):
        rows.setdefault(words[1], {})[words[0]] = float(words[2])
processor = re.search(r"model name\s*: (.*)", open("/proc/cpuinfo").read())[1]
commit = subprocess.run(["git", "describe", "--always", "--dirty", "--exclude=*"],
                        capture_output=True, text=True).stdout.strip()
pathlib.Path(sys.argv[2]).write_text(json.dumps(
    {"date": str(datetime.date.today()), "processor": processor, "threads": 1, "commit": commit,
     "clips": "16 frames at stride 4, 224 x 224, clips a second", "rows": rows}, indent=1) + "\n")
