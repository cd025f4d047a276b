"""The whole file as its user writes it: the model, and what is worked off before all else (pure).

`include` is gone once the files are read (`include.py`), `defaults` once they are given to the
objects (`expand.py`). The classes are made from the model, so that every kind has defaults.
"""

from typing import Any

from pydantic import ConfigDict, Field, create_model

from vnetlab.topology.forms import FileNames
from vnetlab.topology.kinds import all_items
from vnetlab.topology.model import File
from vnetlab.topology.part import Part


class _Defaults(Part):
    """What the objects of a kind have where they say nothing themselves."""

    model_config = ConfigDict(title="defaults")


def _class_of(key: str, parts: tuple[type[Part], ...]) -> type[Part]:
    """The class with the keys of all these: of VMs' vNICs and of bare-metal hosts' NICs."""
    parts = tuple(part for part in parts if not any(_is_more(other, part) for other in parts))
    if len(parts) == 1:
        return parts[0]
    titled = type(f"_Any{key}", (Part,), {"model_config": ConfigDict(title=f"any {key}")})
    doc = f"The keys of {key} of every kind; each has those that it knows."
    return create_model(f"Any{key.title()}", __base__=(*parts, titled), __doc__=doc)


def _is_more(part: type[Part], than: type[Part]) -> bool:
    """Whether a part has all keys of another, and more: a router's route is a route."""
    return part is not than and issubclass(part, than)


_KINDS: dict[str, Any] = {
    key: (
        _class_of(key, parts) | None,
        Field(default=None, description=f"What all `{key}` have, wherever they are."),
    )
    for key, parts in all_items().items()
}
Defaults = create_model("Defaults", __base__=_Defaults, __doc__=_Defaults.__doc__, **_KINDS)


class _Whole(File):
    """A whole topology file, as it is written."""

    include: FileNames | None = Field(
        default=None,
        description="Files whose content belongs here too, relative to this one. Sections are "
        "joined; a name twice is an error. Default: none.",
    )


_DEFAULTS: Any = (
    Defaults | None,
    Field(default=None, description="What objects have where they say nothing. Default: none."),
)
TopologyFile = create_model("TopologyFile", __base__=_Whole, defaults=_DEFAULTS)
