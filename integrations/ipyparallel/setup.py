"""Records, while a wheel is built, where the source checkout lies.

`pip install ./integrations/ipyparallel` from a checkout then finds the checkout's own
`.build/release/yardmaster` without further settings. Everything else is in pyproject.toml.
"""

from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).resolve().parent


class RecordCheckout(build_py):
    def run(self):
        super().run()
        checkout = HERE.parent.parent
        if self.editable_mode or not (checkout / "Package.swift").is_file():
            return
        record = Path(self.build_lib) / "yardmaster_ipyparallel" / "_checkout.py"
        record.parent.mkdir(parents=True, exist_ok=True)
        purpose = '"""Written at install: the checkout it came from."""'
        record.write_text(f"{purpose}\n\nCHECKOUT = {str(checkout)!r}\n")


setup(cmdclass={"build_py": RecordCheckout})
