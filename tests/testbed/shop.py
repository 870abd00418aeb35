"""The service of the test hosts: a small web shop whose releases behave well, badly, or not at all."""

from __future__ import annotations

import json
from pathlib import Path

PORT = 8080

WELL = "well"
ERRORS = "errors"
"""Answers /healthz with 503 and counts failed requests."""
CRASHES = "crashes"
"""Ends with exit code 1 as soon as it is started."""
DIES = "dies"
"""Starts, then ends with exit code 1 a second later: `systemctl restart` calls that a success."""
STAYS_SICK = "sick"
"""Runs and answers its metrics, but /healthz never gets beyond 503; its error counter stays still."""

PROGRAM = '''\
#!/usr/bin/python3
"""A web shop that is as good as its release.json says."""
import json, os, pathlib, signal, sys, threading, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

release = json.loads(pathlib.Path(__file__).resolve().parents[1].joinpath("release.json").read_text())
version, behaves = release["version"], release["behaves"]
print(f"shop {version} starts", flush=True)
if behaves == "crashes":
    print(f"shop {version}: cannot read its configuration", file=sys.stderr, flush=True)
    sys.exit(1)
if behaves == "dies":
    threading.Timer(1, lambda: os._exit(1)).start()
started = time.monotonic()


def metrics():
    age = time.monotonic() - started
    bad = age * 10 if behaves == "errors" else 0.0
    return (
        f'shop_build_info{{version="{version}"}} 1\\n'
        f'shop_requests_total{{version="{version}",code="200"}} {age * 10 - bad:.3f}\\n'
        f'shop_requests_total{{version="{version}",code="500"}} {bad:.3f}\\n'
    )


class Shop(BaseHTTPRequestHandler):
    def do_GET(self):
        ill = behaves in ("errors", "sick")
        pages = {
            "/healthz": (503, "ill") if ill else (200, "ok"),
            "/metrics": (200, metrics()),
            "/version": (200, version),
        }
        code, text = pages.get(self.path, (404, "no such page"))
        body = text.encode()
        self.send_response(code)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        if code == 503:
            print(f"shop {version}: request failed", file=sys.stderr, flush=True)

    def log_message(self, *_):
        pass


signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
ThreadingHTTPServer.allow_reuse_address = True
address = (os.environ.get("SHOP_ADDRESS", "0.0.0.0"), int(os.environ.get("SHOP_PORT", "8080")))
ThreadingHTTPServer(address, Shop).serve_forever()
'''

UNIT = """\
[Unit]
Description=The shop
StartLimitIntervalSec=60
StartLimitBurst=5

[Service]
User=shop
WorkingDirectory=/opt/shop/current
ExecStart=/opt/shop/current/bin/shop
Restart=on-failure
RestartSec=200ms

[Install]
WantedBy=multi-user.target
"""


def write_release(releases: Path, version: str, behaves: str = WELL) -> Path:
    """Lay one release directory down, whole and executable."""
    folder = releases / version
    (folder / "bin").mkdir(parents=True, exist_ok=True)
    program = folder / "bin/shop"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    (folder / "release.json").write_text(json.dumps({"version": version, "behaves": behaves}) + "\n")
    return folder
