"""Runs the task scheduler of an ipyparallel cluster as the native `yardmaster` binary.

Three ways in (README.md has a line for each):

- `ipcluster start --controller=yardmaster` and `ipp.Cluster(controller="yardmaster")`: launcher.py
- `python -m yardmaster_ipyparallel.controller`, in place of `ipcontroller`: controller.py
- `import yardmaster_ipyparallel; yardmaster_ipyparallel.install()` in a profile's
  `ipcontroller_config.py`: any launcher, and bare `ipcontroller`

All three end in `install()`. Importing the package alone changes nothing and imports nothing: a
child of the controller imports it too, on its way to the binary.
"""

__version__ = "0.1.0"
__all__ = ["install"]


def install():
    """Let every IPController of this process start yardmaster as its task scheduler.

    Replaces `IPController.launch_python_scheduler` (and wraps `init_schedulers` for the scheme
    `pure`, which stock serves without that method). Calling it again changes nothing. When the
    binary cannot serve, the controller says why and starts the stock scheduler.
    """
    from .patch import patch_controller

    patch_controller()
