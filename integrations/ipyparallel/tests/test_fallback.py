"""When yardmaster cannot serve: the reason is said, and stock serves, or nobody does."""

import pytest
from test_controller import assert_serves


@pytest.mark.parametrize("start", ["--scheme=leastload", "--scheme=pure"])
def test_a_missing_binary(controller, start):
    controller.start(start, YARDMASTER_BINARY="/nonexistent/yardmaster")
    assert_serves(controller.client())
    assert (
        "WARNING | task::yardmaster cannot serve: /nonexistent/yardmaster (from environment"
        " YARDMASTER_BINARY) does not exist. The stock Python scheduler is used instead"
    ) in controller.log()
    assert [event["event"] for event in controller.events()] == ["stock"]


def test_no_binary_anywhere_names_the_places(controller, monkeypatch):
    controller.start(
        config="import yardmaster_ipyparallel.binary as b\nb.checkouts = lambda: []\n",
        YARDMASTER_BINARY="",
        PATH="/usr/bin:/bin",
    )
    log = controller.wait_for_log("there is no yardmaster binary")
    assert "looked at YARDMASTER_BINARY, c.Yardmaster.binary, PATH" in log


def test_a_configured_binary_is_used(controller, binary):
    controller.start(config=f"c.Yardmaster.binary = {binary!r}\n", YARDMASTER_BINARY="")
    assert_serves(controller.client())
    assert "from c.Yardmaster.binary" in controller.log()


@pytest.mark.double_only
def test_a_binary_that_cannot_load(controller):
    controller.start(DOUBLE_SKIP_VERSION="1")
    assert_serves(controller.client())
    log = controller.log()
    assert "--version ended with exit code 127: libsomething.so: cannot open" in log


@pytest.mark.parametrize("content", ["", "\x7fELF garbage"])
def test_a_file_that_is_no_program(controller, tmp_path, content):
    path = tmp_path / "garbage"
    path.write_text(content)
    path.chmod(0o755)
    controller.start(YARDMASTER_BINARY=str(path))
    assert_serves(controller.client())
    assert "task::yardmaster cannot serve" in controller.log()


def test_pickle_is_refused_with_the_reason(controller):
    controller.start("--Session.packer=pickle")
    log = controller.wait_for_log("task::yardmaster cannot serve")
    assert "c.Session.packer is 'pickle'" in log
    assert [event["event"] for event in controller.events()] == ["stock"]


def test_without_fallback_the_controller_stops(controller):
    controller.start("--Yardmaster.fallback=False", YARDMASTER_BINARY="/nonexistent/yardmaster")
    assert controller.process.wait(30) == 1
    assert "c.Yardmaster.fallback is off: stopping" in controller.log()


@pytest.mark.double_only
def test_bad_argument_at_start(controller):
    """Exit code 2 will not get better: said with its own words, and stock serves at once."""
    controller.start(DOUBLE_EXIT_AT_START="2 yardmaster: --hwm wants a number")
    assert_serves(controller.client())
    log = controller.log()
    assert "died at start: exit code 2 (bad argument)" in log
    assert "task::yardmaster said: yardmaster: --hwm wants a number" in log
    assert "the stock Python scheduler takes its place" in log
    assert len(controller.events("died")) == 1


@pytest.mark.double_only
@pytest.mark.parametrize("scheme", ["leastload", "pure"])
def test_an_address_that_cannot_be_bound_is_tried_again_first(controller, scheme):
    controller.start(f"--scheme={scheme}", DOUBLE_EXIT_AT_START="69 cannot bind tcp://x: in use")
    assert_serves(controller.client())
    log = controller.log()
    assert "exit code 69 (an address cannot be bound)" in log
    assert "task::yardmaster said: cannot bind tcp://x: in use" in log
    assert len(controller.events("died")) == 3
    assert len(controller.events("stock")) == 1


@pytest.mark.double_only
def test_death_at_start_without_fallback_stops_the_controller(controller):
    controller.start("--Yardmaster.fallback=False", DOUBLE_EXIT_AT_START="2 no such option")
    assert controller.process.wait(30) == 1
    log = controller.log()
    assert "task::yardmaster said: no such option" in log
    assert "no task scheduler" in log


def test_options_that_the_binary_refuses(controller):
    controller.start("--Yardmaster.args=--no-such-option")
    assert_serves(controller.client())
    assert "died at start: exit code 2" in controller.log()
    assert controller.events("stock")
