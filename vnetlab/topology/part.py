"""What every mapping of a topology file is made from (pure)."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """A mapping of the file. A key that it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)

    takes_defaults: ClassVar[bool] = True
    """Whether `defaults` may say what all of this kind have.

    Not of a rule, which is a sentence, nor of a hypervisor's NIC, whose key is that of VMs' too.
    """
