"""What asflow's pages compose with: `Memory`, its results and `expires_after`.

Install `joblib-stubs` for the rest of joblib; every other name is `Incomplete` here, and so Any.
"""

from _typeshed import Incomplete
from joblib.memory import MemorizedResult as MemorizedResult
from joblib.memory import Memory as Memory
from joblib.memory import expires_after as expires_after

def __getattr__(name: str) -> Incomplete: ...  # pyright: ignore[reportIncompleteStub]
