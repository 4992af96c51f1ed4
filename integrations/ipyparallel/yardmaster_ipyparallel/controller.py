"""`python -m yardmaster_ipyparallel.controller [ipcontroller options]`: ipcontroller on yardmaster.

The very IPController of ipyparallel, patched: configuration sections and options are unchanged, and
`c.Yardmaster` is added to them (`--help-all` lists it).
"""


def main():
    """Run the controller until it is told to stop; its exit status is ipcontroller's."""
    from . import install

    install()
    from ipyparallel.controller.app import main as controller_main

    return controller_main()


if __name__ == "__main__":
    main()
