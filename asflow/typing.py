"""The types of the decorators that `@flow(...)` and `@flow.task(...)` return, for annotations of your own."""

from asflow._names import set_homes
from asflow._task.typing import Keep, MaybeKeyed, MaybeNone

__all__ = ["Keep", "MaybeKeyed", "MaybeNone"]

set_homes(__name__, (Keep, MaybeKeyed, MaybeNone))
