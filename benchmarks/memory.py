"""A walk or an export in a process of its own, and the most memory that it had.

See ``rows.memory`` and ``exports.export_memory``.

It imports nothing but what is measured: memory that others gave back would hide a growth.
"""

from __future__ import annotations

import asyncio
import json
import resource
import sys
from pathlib import Path

from rybbit_async import RybbitClient


def peak() -> int:
    """The high water mark of the process's resident memory, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # what getrusage says begins with what the parent process had
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most * 1024


async def main(told: str) -> None:
    """Walk or export what ``told`` says in JSON, and print what it took."""
    job = json.loads(told)
    items = 0
    async with RybbitClient(job["api_key"], base_url=job["url"]) as client:
        if "export" in job:
            from rybbit_async.export import export

            items = (await export(client, **job["export"])).rows
        else:
            async for _ in client.goals.sessions.iter(job["site"], job["goal"], **job["options"]):
                items += 1
    print(json.dumps({"items": items, "peak": peak()}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
