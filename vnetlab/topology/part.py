"""What every mapping of a topology file is made from (pure)."""

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A mapping of the file. A key that it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid")
