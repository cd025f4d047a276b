"""Lab kernels: the User Mode Linux kernels that the `uml` realm boots.

`inventory` says which are there, `prebuilt` installs Debian's, `build` makes ours. Only the
inventory is imported here: commands that boot a kernel need no more, and need it at once.
"""

from __future__ import annotations

from vnetlab.realm.kernels.inventory import (
    LabKernel,
    best_kernel,
    cache_directory,
    list_kernels,
    remove,
)

__all__ = ["LabKernel", "best_kernel", "cache_directory", "list_kernels", "remove"]
