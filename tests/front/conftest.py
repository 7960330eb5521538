"""The front server tests use the harness of the end-to-end tests."""

import os
import sys

import pytest

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../e2e"))
pytest.register_assert_rewrite("behaviour")
