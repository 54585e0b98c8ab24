"""The form that is tested is the one that runs, in processes of their own too."""

import subprocess
import sys

from opcws.operations.form import FORM


def test_what_is_started_is_of_the_form_that_is_tested() -> None:
    command = [sys.executable, "-m", "opcws", "--version"]
    said = subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout
    assert said.rstrip().endswith("(%s)" % FORM)
