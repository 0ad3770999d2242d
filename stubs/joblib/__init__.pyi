"""The part of joblib that asflow's pages use: `Memory`, its results and `expires_after`.

Every other name is `Incomplete`, and so Any. `joblib-stubs` covers the rest of joblib.
"""

from _typeshed import Incomplete
from joblib.memory import MemorizedResult as MemorizedResult
from joblib.memory import Memory as Memory
from joblib.memory import expires_after as expires_after

def __getattr__(name: str) -> Incomplete: ...  # pyright: ignore[reportIncompleteStub]
