"""The one change to ipcontroller: who serves the task queue.

`IPController.init_schedulers` ends in one call of `launch_python_scheduler('TaskScheduler', ...)`.
That method is replaced. The scheme `pure` is served by another branch of stock's, which appends a
device named TaskScheduler(pure) to `children`; that child is exchanged after stock's method ran.
The scheme `none` starts no scheduler in stock and none here.
"""

from __future__ import annotations

from ipyparallel.controller.app import IPController
from ipyparallel.controller.task_scheduler import TaskScheduler
from ipyparallel.util import disambiguate_url

from .arguments import journal_argv, scheduler_argv, scheduler_environment
from .binary import CannotServe, find_binary
from .settings import Yardmaster
from .supervisor import Supervisor, note_event

TASK_SCHEDULER = "TaskScheduler"
PURE_DEVICE = "TaskScheduler(pure)"

stock_launch = IPController.launch_python_scheduler
stock_init_schedulers = IPController.init_schedulers


def patch_controller():
    """Replace the method, once; see the package's `install`."""
    if IPController.launch_python_scheduler is launch_python_scheduler:
        return
    IPController.launch_python_scheduler = launch_python_scheduler
    IPController.init_schedulers = init_schedulers
    # Makes `--Yardmaster.binary=...` and `--help-all` know the section.
    IPController.classes = [*IPController.classes, Yardmaster]


def launch_python_scheduler(app, name, scheduler_args, children):
    """Append yardmaster to `children`, or start the stock scheduler and say why."""
    supervisor = None
    if name == TASK_SCHEDULER:
        supervisor = prepare(
            app, scheduler_args, lambda: stock_launch(app, name, scheduler_args, app.children)
        )
    if supervisor is None:
        stock_launch(app, name, scheduler_args, children)
        return
    children.append(supervisor.process)
    supervisor.attach()


def init_schedulers(app):
    """Stock's method; afterwards the device of the scheme `pure` is exchanged for yardmaster."""
    stock_init_schedulers(app)
    for index, child in enumerate(app.children):
        if child.name != PURE_DEVICE:
            continue
        args = app.get_python_scheduler_args(
            "task", TaskScheduler, disambiguate_url(app.monitor_url)
        )
        supervisor = prepare(app, args, lambda: app.children.append(child))
        if supervisor is not None:
            app.children[index] = supervisor.process
            supervisor.attach()
        return


def prepare(app, args, start_stock):
    """A supervisor that is ready to start, or None when stock must serve (the reason is logged)."""
    settings = Yardmaster(parent=app)
    try:
        binary = find_binary(settings.binary)
        scheme, hwm = scheme_and_hwm(app)
        journal = journal_argv(settings.journal, settings.journal_sync, app.session, scheme)
        extra = [*journal, *settings.args]
        argv = scheduler_argv(binary.path, args, app.session, scheme, hwm, extra)
        environment = scheduler_environment(args, app.session)
    except CannotServe as reason:
        if not settings.fallback:
            app.log.critical(
                "task::yardmaster cannot serve: %s. c.Yardmaster.fallback is off: stopping", reason
            )
            app.exit(1)
        app.log.warning(
            "task::yardmaster cannot serve: %s. The stock Python scheduler is used instead", reason
        )
        note_event(settings, "stock", reason=str(reason))
        return None
    app.log.info(
        "task::%s takes the place of the stock scheduler (%s, from %s; scheme %s, hwm %i)",
        binary.version, binary.path, binary.origin, scheme, hwm,
    )  # fmt: skip
    return Supervisor(app, settings, binary, argv, environment, start_stock)


def scheme_and_hwm(app):
    """c.TaskScheduler as stock would read it; `pure` knows no high water mark (0)."""
    if app.config.TaskScheduler.get("scheme_name") == "pure":
        # Stock's class cannot be made with it: there is no Python function of that name.
        return "pure", 0
    # An instance, because raw configuration values can be strings.
    wanted = TaskScheduler(config=app.config, log=app.log)
    return wanted.scheme_name, wanted.hwm
