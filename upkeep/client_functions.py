"""Which function of the client's own does a config name?"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from upkeep.errors import ConfigError

OWN_FUNCTION = r"^\w+(\.\w+)*:\w+$"
"""package.module:function"""


def own_function(name: str, *, key: str, shape: str, returns: type) -> Callable[..., Any]:
    """The function named `package.module:function` under a config's `key`, which is to have the `shape` told.

    Raises ConfigError where it cannot be imported or is none, and whenever it returns anything but `returns`.
    """
    module, _, attribute = name.partition(":")
    try:
        function = getattr(import_module(module), attribute)
    except (ImportError, AttributeError) as exc:
        raise ConfigError(f"{key}: found {name!r}, expected package.module:function to import: {exc}") from exc
    if not callable(function):
        raise ConfigError(f"{key}: {name!r} is of type {type(function).__name__}, expected a function {shape}")

    def checked(*given: object) -> Any:
        answer = function(*given)
        if not isinstance(answer, returns):
            raise ConfigError(f"{key}: {name!r} returned {type(answer).__name__}, expected {returns.__name__}")
        return answer

    return checked
