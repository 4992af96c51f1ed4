"""A test double of the yardmaster binary: its command line, served by ipyparallel's own scheduler.

Run as a program by the tests through a wrapper that conftest.py writes. It reports what it was
given (arguments, secrets by name and digest, never the values) to the file DOUBLE_REPORT, and
misbehaves on request: DOUBLE_EXIT_AT_START="CODE TEXT", DOUBLE_SKIP_VERSION=1.
"""

import argparse
import hashlib
import json
import os
import sys
import threading
import time


def end_with(parent_pid):
    """End this process when that one is gone."""
    while os.path.exists(f"/proc/{parent_pid}"):
        time.sleep(0.1)
    os._exit(0)


def parse(argv):
    parser = argparse.ArgumentParser(prog="yardmaster scheduler", allow_abbrev=False)
    for name in ("client", "engine", "monitor", "notification", "registration"):
        parser.add_argument(f"--{name}-url", required=True)
    parser.add_argument("--identity", default="task")
    parser.add_argument("--scheme", default="leastload")
    parser.add_argument("--hwm", type=int, default=1)
    parser.add_argument("--packer", default="json", choices=["json", "orjson", "msgpack"])
    parser.add_argument("--signature-scheme", default="hmac-sha256")
    parser.add_argument("--transport", default="auto")
    parser.add_argument("--io", default="auto")
    parser.add_argument("--log-level", type=int, default=20)
    parser.add_argument("--log-url", default="")
    parser.add_argument("--parent-pid", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args(argv)


def report(options):
    path = os.environ.get("DOUBLE_REPORT")
    if not path:
        return
    secrets = {
        name: hashlib.sha256(os.environ[name].encode()).hexdigest() if os.environ[name] else ""
        for name in ("IPP_SESSION_KEY", "IPP_CURVE_SECRETKEY", "IPP_CURVE_PUBLICKEY")
        if name in os.environ
    }
    with open(path, "a") as file:
        record = {"pid": os.getpid(), "options": vars(options), "secrets": secrets}
        file.write(json.dumps(record) + "\n")


def serve(options):
    from traitlets.config import Config

    secret = os.environ.get("IPP_CURVE_SECRETKEY", "").encode() or None
    public = os.environ.get("IPP_CURVE_PUBLICKEY", "").encode() or None
    if options.scheme == "pure":
        return serve_pure(options, secret, public)
    from ipyparallel.controller.scheduler import launch_scheduler
    from ipyparallel.controller.task_scheduler import TaskScheduler

    config = Config()
    config.Session.key = os.environ.get("IPP_SESSION_KEY", "").encode()
    config.Session.packer = options.packer
    config.Session.signature_scheme = options.signature_scheme
    config.TaskScheduler.scheme_name = options.scheme
    config.TaskScheduler.hwm = options.hwm
    launch_scheduler(
        TaskScheduler,
        options.client_url,
        options.engine_url,
        options.monitor_url,
        options.notification_url,
        options.registration_url,
        config=config,
        logname=options.identity,
        log_url=options.log_url or None,
        loglevel=options.log_level,
        identity=options.identity.encode(),
        curve_secretkey=secret,
        curve_publickey=public,
    )


def serve_pure(options, secret, public):
    import zmq
    from zmq.devices import monitored_queue

    context = zmq.Context()
    sides = {
        "in": context.socket(zmq.ROUTER),
        "out": context.socket(zmq.DEALER),
        "monitor": context.socket(zmq.PUB),
    }
    for side, socket in sides.items():
        if secret:
            socket.curve_secretkey = secret
            if side == "monitor":
                socket.curve_publickey = socket.curve_serverkey = public
            else:
                socket.curve_server = True
    sides["in"].bind(options.client_url)
    sides["out"].bind(options.engine_url)
    sides["monitor"].connect(options.monitor_url)
    print("[task] pure double", file=sys.stderr, flush=True)
    monitored_queue(sides["in"], sides["out"], sides["monitor"], b"intask", b"outtask")


def main():
    argv = sys.argv[1:]
    if argv == ["--version"]:
        if os.environ.get("DOUBLE_SKIP_VERSION"):
            print("libsomething.so: cannot open shared object file", file=sys.stderr)
            sys.exit(127)
        print("yardmaster 0.0.0-double")
        return
    if argv[:1] != ["scheduler"]:
        sys.exit(2)
    options = parse(argv[1:])
    report(options)
    broken = os.environ.get("DOUBLE_EXIT_AT_START")
    if broken:
        code, text = broken.split(" ", 1)
        print(text, file=sys.stderr)
        sys.exit(int(code))
    if options.parent_pid:
        threading.Thread(target=end_with, args=(options.parent_pid,), daemon=True).start()
    serve(options)


if __name__ == "__main__":
    main()
