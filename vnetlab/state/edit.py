"""A State with some of its objects otherwise (pure)."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from vnetlab.state.diff import Change
from vnetlab.state.objects import COLLECTIONS, Object, State


def put(state: State, *items: Object) -> State:
    """Return `state` with `items`, in place of those with the same ids."""
    for item in items:
        name = COLLECTIONS[type(item)]
        others = (old for old in getattr(state, name) if old.id != item.id)
        state = replace(state, **{name: frozenset([*others, item])})
    return state


def take(state: State, *items: Object) -> State:
    """Return `state` without `items`."""
    for item in items:
        name = COLLECTIONS[type(item)]
        left = frozenset(old for old in getattr(state, name) if old.id != item.id)
        state = replace(state, **{name: left})
    return state


def carry_out(changes: Iterable[Change], state: State) -> State:
    """Return `state` as it is after `changes`."""
    for change in changes:
        if change.old is not None:
            state = take(state, change.old)
        if change.new is not None:
            state = put(state, change.new)
    return state
