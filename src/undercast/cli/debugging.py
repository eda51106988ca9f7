"""How to attach a debugger, as text: for VS Code's launch.json, and on the command line.

Sources: VS Code, "Python debugging", "Node.js debugging"; vscode-go, "Debugging"; delve, `dlv connect`.
"""

import json
from typing import Any

HOST = "127.0.0.1"


def how_to_attach(function: str, runtime: str, port: int) -> str:
    """For a function of this runtime whose debugger is on a port."""
    entry = {"name": f"{function} (undercast)", "request": "attach", **_entry(runtime, port)}
    lines = [f"VS Code, launch.json: {json.dumps(entry)}"]
    if runtime.startswith("nodejs"):
        lines.append(f"or: node inspect {HOST}:{port}; or Chrome, chrome://inspect")
    elif not runtime.startswith("python"):
        lines.append(f"or: dlv connect {HOST}:{port} (build with -gcflags='all=-N -l')")
    return "\n".join(lines)


def _entry(runtime: str, port: int) -> dict[str, Any]:
    workspace, task = "${workspaceFolder}", "/var/task"
    if runtime.startswith("python"):
        mappings = [{"localRoot": workspace, "remoteRoot": task}]
        return {"type": "debugpy", "connect": {"host": HOST, "port": port}, "pathMappings": mappings}
    if runtime.startswith("nodejs"):
        return {"type": "node", "address": HOST, "port": port, "localRoot": workspace, "remoteRoot": task}
    return {"type": "go", "mode": "remote", "host": HOST, "port": port}
