"""One module an exchange; each lists its specifications in `VENUES`. Found, not registered."""

import importlib
import pkgutil
from functools import lru_cache

from cex.engine.spec import VenueSpec


@lru_cache(maxsize=1)
def catalogue() -> dict[str, VenueSpec]:
    """All exchanges by id, sister sites and test networks included."""
    found: dict[str, VenueSpec] = {}
    for module in pkgutil.iter_modules(__path__):
        for spec in importlib.import_module(f"{__name__}.{module.name}").VENUES:
            if spec.id in found:
                raise ValueError(f"two venues have the id {spec.id}")
            found[spec.id] = spec
    return found
