"""The name of the test that runs, from which the live tests make a file name."""

import os
import re


def get_test_id() -> str:
    """Such as `test_file.py.TestClass.test_name`, from pytest's own note."""
    return re.sub(r"[^\w.]+", ".", os.environ["PYTEST_CURRENT_TEST"].split(" ")[0])
