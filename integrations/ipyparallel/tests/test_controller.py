"""The controller on yardmaster: settings, secrets, ways to start and to end."""

import hashlib
import os
import signal
import time

import ipyparallel as ipp
import psutil
import pytest
from conftest import wait_for

KEY = "a-key-that-is-only-in-this-test-0123456789"


@ipp.interactive  # sent by value: engines cannot import this file
def square(x):
    return x * x


def assert_serves(client):
    assert client.load_balanced_view().map_sync(square, range(8)) == [x * x for x in range(8)]


def test_serves_tasks_and_passes_the_settings_on(controller):
    controller.start("--scheme=lru", "--hwm=3", "--log-level=10")
    assert_serves(controller.client())
    argv = wait_for(lambda: controller.events("started"), "the start event")[0]["argv"]
    given = dict(zip(argv[1::2], argv[2::2]))
    assert argv[0] == "scheduler"
    assert given["--scheme"] == "lru"
    assert given["--hwm"] == "3"
    assert given["--log-level"] == "10"
    assert given["--identity"] == "task"
    assert given["--parent-pid"] == str(controller.process.pid)
    assert "--log-url" not in given
    controller.wait_for_log("[task]")


def test_strings_in_the_configuration_and_further_options(controller):
    config = "c.TaskScheduler.hwm = 2\nc.TaskScheduler.scheme_name = 'twobin'\n"
    controller.start(config=config + "c.Yardmaster.args = ['--seed', '7']\n")
    assert_serves(controller.client())
    argv = controller.events("started")[0]["argv"]
    assert argv[-2:] == ["--seed", "7"]
    assert argv[argv.index("--hwm") + 1] == "2"
    assert argv[argv.index("--scheme") + 1] == "twobin"


def test_pure_is_served_too(controller):
    controller.start("--scheme=pure")
    assert_serves(controller.client())
    argv = controller.events("started")[0]["argv"]
    assert argv[argv.index("--scheme") + 1] == "pure"


def test_none_starts_no_scheduler(controller):
    controller.start("--scheme=none")
    controller.client()
    assert controller.events() == []
    names = {process.name() for process in controller.family()}
    assert "yardmaster" not in names and "double" not in names


def command_lines():
    for process in psutil.process_iter(["pid", "cmdline"]):
        yield process.info["pid"], " ".join(process.info["cmdline"] or [])


def test_no_secret_on_a_command_line_and_the_key_arrives(controller):
    controller.start(IPP_SESSION_KEY=KEY)
    assert_serves(controller.client())
    assert not [pid for pid, line in command_lines() if KEY in line]
    environment = psutil.Process(controller.scheduler_pid()).environ()
    assert environment["IPP_SESSION_KEY"] == KEY
    assert "IPP_CURVE_SECRETKEY" not in environment


def test_curve(controller):
    controller.start(IPP_ENABLE_CURVE="1")
    assert_serves(controller.client())
    environment = psutil.Process(controller.scheduler_pid()).environ()
    assert environment["IPP_SESSION_KEY"] == ""
    secret = environment["IPP_CURVE_SECRETKEY"]
    assert len(secret) == len(environment["IPP_CURVE_PUBLICKEY"]) == 40
    assert not [pid for pid, line in command_lines() if secret in line]


@pytest.mark.double_only
def test_a_stray_curve_key_in_the_environment_is_not_passed_on(controller):
    controller.start(IPP_CURVE_SECRETKEY="x" * 40, IPP_SESSION_KEY=KEY)
    assert controller.report()[0]["secrets"] == {
        "IPP_SESSION_KEY": hashlib.sha256(KEY.encode()).hexdigest()
    }


def test_log_url_reaches_the_scheduler(controller):
    import zmq

    socket = zmq.Context.instance().socket(zmq.SUB)
    port = socket.bind_to_random_port("tcp://127.0.0.1")
    socket.subscribe(b"scheduler.")
    try:
        controller.start(f"--log-url=tcp://127.0.0.1:{port}", "--log-level=10")
        client = controller.client()

        def a_line_after_a_task():
            # libzmq sends our subscription while we poll, so lines before that are not seen.
            assert_serves(client)
            return socket.poll(200)

        wait_for(a_line_after_a_task, "a log line of the scheduler")
        topic, message = socket.recv_multipart()
        assert topic.split(b".")[1] in (b"DEBUG", b"INFO")
        assert message.endswith(b"\n")
    finally:
        socket.close()


@pytest.mark.parametrize("method", ["fork", "forkserver", "spawn"])
@pytest.mark.parametrize("scheme", ["leastload", "pure"])
def test_start_methods(controller, method, scheme):
    config = f"import multiprocessing\nmultiprocessing.set_start_method({method!r})\n"
    controller.start(f"--scheme={scheme}", config=config)
    assert_serves(controller.client())
    controller.scheduler_pid()
    controller.family()
    controller.process.send_signal(signal.SIGTERM)
    controller.process.wait(20)
    controller.assert_all_gone()


def test_use_threads(controller):
    controller.start("--usethreads")
    assert_serves(controller.client())
    controller.scheduler_pid()


def test_install_from_the_profile_of_a_stock_controller(controller):
    config = "import yardmaster_ipyparallel\nyardmaster_ipyparallel.install()\n"
    controller.start(module="ipyparallel.controller", config=config)
    assert_serves(controller.client())
    controller.scheduler_pid()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_no_process_is_left_behind(controller, number):
    controller.start()
    assert_serves(controller.client())
    pid = controller.scheduler_pid()
    if number == signal.SIGKILL:
        # Stock's own children outlive a killed controller; ours must not.
        controller.seen = [psutil.Process(pid)]
        others = controller.family()[1:]
        controller.seen = [process for process in controller.seen if process.pid == pid]
    else:
        controller.family()
    controller.process.send_signal(number)
    controller.process.wait(20)
    controller.assert_all_gone()
    if number == signal.SIGKILL:
        for process in others:
            if process.is_running():
                process.kill()


def test_client_shutdown_ends_everything(controller):
    controller.start()
    client = controller.client()
    assert_serves(client)
    controller.family()
    client.shutdown(hub=True)
    controller.process.wait(20)
    controller.assert_all_gone()
    assert "died" not in controller.log()


@pytest.mark.double_only  # yardmaster blocks signals on purpose, to wait for them
def test_descriptors_and_signals_of_the_controller_stay_there(controller):
    controller.start()
    controller.client()
    pid = controller.scheduler_pid()
    assert os.path.realpath(f"/proc/{pid}/fd/0") == "/dev/null"
    status = open(f"/proc/{pid}/status").read()
    masks = dict(line.split(":\t") for line in status.splitlines() if line.startswith("Sig"))
    assert int(masks["SigBlk"], 16) == 0


def test_a_killed_scheduler_is_said_and_started_again(controller):
    controller.start()
    client = controller.client()
    assert_serves(client)
    first = controller.scheduler_pid()
    wait_for(lambda: controller.events("alive"), "life")
    time.sleep(3.5)  # past the time in which a death counts as one at start
    os.kill(first, signal.SIGKILL)
    second = controller.scheduler_pid(start=2)
    assert second != first
    assert_serves(client)
    log = controller.wait_for_log("starts again in 0 s, on the same addresses")
    assert f"CRITICAL | task::yardmaster (process {first}) died after" in log
    assert "signal 9 (SIGKILL)" in log
    assert "tasks that waited or ran at that moment are lost" in log
    assert controller.events("stock") == []
    controller.family()
    controller.process.send_signal(signal.SIGTERM)
    controller.process.wait(20)
    controller.assert_all_gone()
    assert len(controller.events("died")) == 1


@ipp.interactive
def third_time(path):
    with open(path, "a+") as file:
        file.write("x")
        file.seek(0)
        count = len(file.read())
    if count < 3:
        raise ValueError(f"number {count}")
    return count


def test_an_engine_runs_again_what_it_had_before(controller, request):
    """Its session drops what bears a signature that it has seen: sent again as it was, the task would
    wait for ever."""
    if not request.config.getoption("--binary"):
        pytest.skip("the double does not retry")
    controller.start(IPP_SESSION_KEY=KEY, config="c.Yardmaster.args = ['--retry-anywhere']\n")
    view = controller.client().load_balanced_view()
    view.retries = 2
    count = controller.folder / "count"
    assert view.apply_async(third_time, str(count)).get(timeout=60) == 3


@ipp.interactive
def slowly(x):
    import time

    time.sleep(0.2)
    return x


def test_a_killed_scheduler_goes_on_from_its_journal(controller, request):
    folder = controller.folder / "journals"
    config = f"c.Yardmaster.journal = {str(folder)!r}\nc.Yardmaster.journal_sync = 'always'\n"
    controller.start(IPP_SESSION_KEY=KEY, config=config)
    client = controller.client(engines=2)
    assert_serves(client)
    argv = controller.events("started")[0]["argv"]
    given = dict(zip(argv[1::2], argv[2::2]))
    assert given["--journal-sync"] == "always"
    assert os.path.dirname(given["--journal"]) == str(folder)
    assert KEY not in given["--journal"]
    if not request.config.getoption("--binary"):
        pytest.skip("the double keeps no journal")
    # The kill takes a replies' socket along: what the client cannot get the hub has.
    time.sleep(3.5)  # the supervisor takes an earlier death for one at start
    view = client.load_balanced_view()
    results = [view.apply_async(slowly, x) for x in range(30)]
    wait_for(lambda: results[5].ready(), "some results")
    os.kill(controller.scheduler_pid(), signal.SIGKILL)
    log = controller.wait_for_log("are in its journal and go on")
    assert "are lost" not in log
    wait_for(lambda: len(controller.events("alive")) == 2, "the next scheduler")
    # The client is known again once it says something.
    assert view.apply_async(square, 3).get(timeout=60) == 9
    msg_ids = [result.msg_ids[0] for result in results]
    wait_for(
        lambda: client.result_status(msg_ids)["completed"].__len__() == 30, "all thirty results"
    )
    assert client.get_result(msg_ids, owner=False).get(timeout=60) == list(range(30))
