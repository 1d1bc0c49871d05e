"""Ways from a value at a path to update actions. Pure; which path goes which way stands in ``tables.py``.

A way is asked only for values that differ from what the vendor holds as far as that is known. :meth:`Way.needs` says
when it is not known well enough: then the resource is read before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from syncd.model.lens import Raw
from syncd.systems.commercetools.values import Current, Unknown, UnwritableError, held, incomparable, is_whole, same

UpdateAction: TypeAlias = dict[str, Any]
More: TypeAlias = Callable[[Current], Mapping[str, Any]]
"""Members that an action needs beside its value, by what the vendor holds."""


class Way(Protocol):
    @property
    def draft(self) -> str | None:
        """Where the value stands in a draft; ``None``: at the same path."""
        ...

    def needs(self, path: str, current: Current) -> bool:
        """Whether the resource must be read before the actions can be formed."""
        ...

    def differs(self, value: Raw, before: Raw | Unknown) -> bool:
        """Whether there is anything to send."""
        ...

    def drafted(self, value: Raw) -> Raw:
        """The value in a draft's form."""
        ...

    def actions(self, path: str, value: Raw, current: Current) -> list[UpdateAction]:
        """Raises :class:`UnwritableError`."""
        ...


def nothing(_current: Current) -> Mapping[str, Any]:
    return {}


class _Plain:
    """What most ways have in common."""

    __slots__ = ()

    def needs(self, path: str, current: Current) -> bool:  # noqa: ARG002
        return False

    def differs(self, value: Raw, before: Raw | Unknown) -> bool:
        return isinstance(before, Unknown) or not same(before, value)

    def drafted(self, value: Raw) -> Raw:
        return value


@dataclass(frozen=True, slots=True)
class Single(_Plain):
    """One action with one value, which left out clears."""

    action: str
    member: str
    draft: str | None = None
    clears: bool = True
    """Otherwise the vendor requires a value."""
    once: bool = False
    """Immutable once it is set."""
    localized: bool = False
    """Text by locale: locales that are not ours stay."""
    more: More = nothing
    looks: bool = False
    """``more`` needs the whole resource."""

    def needs(self, path: str, current: Current) -> bool:
        if self.looks and not is_whole(current):
            return True
        return (self.once or self.localized) and isinstance(held(current, path), Unknown)

    def differs(self, value: Raw, before: Raw | Unknown) -> bool:
        if self.localized and isinstance(value, Mapping) and isinstance(before, Mapping):
            return any(before.get(locale) != text for locale, text in value.items())
        return isinstance(before, Unknown) or not same(before, value)

    def drafted(self, value: Raw) -> Raw:
        return _without_nulls(value) if self.localized else value

    def actions(self, path: str, value: Raw, current: Current) -> list[UpdateAction]:
        before = held(current, path)
        if self.once and before is not None:
            raise UnwritableError(path, "is immutable once it is set")
        if self.localized and isinstance(value, Mapping) and isinstance(before, Mapping):
            value = _without_nulls({**before, **value}) or None
        made: UpdateAction = {"action": self.action, **self.more(current)}
        if value is not None:
            return [made | {self.member: value}]
        if not self.clears:
            raise UnwritableError(path, "cannot be cleared, the vendor requires it")
        return [made]


@dataclass(frozen=True, slots=True)
class Fixed(_Plain):
    """A member of drafts that no update changes."""

    why: str
    draft: str | None = None

    def needs(self, path: str, current: Current) -> bool:
        return isinstance(held(current, path), Unknown)

    def differs(self, value: Raw, before: Raw | Unknown) -> bool:
        # A reference by key beside one by id says nothing: what was created so is taken for the same.
        return not incomparable(value, before) and _Plain.differs(self, value, before)

    def actions(self, path: str, value: Raw, current: Current) -> list[UpdateAction]:
        del value, current
        raise UnwritableError(path, self.why)


@dataclass(frozen=True, slots=True)
class Toggle(_Plain):
    """A flag that one action raises and another lowers."""

    on: UpdateAction
    off: UpdateAction
    draft: str | None = None

    def differs(self, value: Raw, before: Raw | Unknown) -> bool:
        return isinstance(before, Unknown) or bool(before) != bool(value)

    def actions(self, path: str, value: Raw, current: Current) -> list[UpdateAction]:
        del path, current
        return [dict(self.on if value else self.off)]


Named = Callable[[Any], str | None]
"""An entry's name in a list, to find the same entry in another list; ``None`` where it has none."""


@dataclass(frozen=True, slots=True)
class Members(_Plain):
    """A list of which single entries are added, changed and removed."""

    by: tuple[Named, ...]
    """How an entry is known again. The first that names every entry of both lists counts; where none does, entries
    are matched by any, unless there is an action for the list as a whole."""
    add: Callable[[Any], UpdateAction]
    remove: Callable[[Any], UpdateAction] | None
    """``None``: what is not in the list stays."""
    change: Callable[[Any, Any], list[UpdateAction]] | None = None
    """Of the entry before and after; ``None``: it is removed and added anew."""
    whole: tuple[str, str] | None = None
    """Action and member that set the list as a whole, where that does less than hundreds of single ones or where
    nothing is known of what was there."""
    most: int = 50
    """Up to so many single actions are sent, where there is one for the whole."""
    equal: Callable[[Any, Any], bool] = same
    draft: str | None = None

    def needs(self, path: str, current: Current) -> bool:
        if isinstance(held(current, path), Unknown):
            return self.whole is None
        # What the engine knows has gone through a lens, and lost what the vendor calls its entries.
        return self.whole is None and not is_whole(current)

    def differs(self, value: Raw, before: Raw | Unknown) -> bool:
        return isinstance(before, Unknown) or self._changes(_entries(before), _entries(value)) != []

    def actions(self, path: str, value: Raw, current: Current) -> list[UpdateAction]:
        wanted, before = _entries(value), held(current, path)
        found = None if isinstance(before, Unknown) else self._changes(_entries(before), wanted)
        if found is not None and (self.whole is None or len(found) <= self.most):
            return found
        if self.whole is None:
            raise UnwritableError(path, "what is there is not known")
        action, member = self.whole
        return [{"action": action, member: wanted}]

    def _changes(self, before: Sequence[Any], after: Sequence[Any]) -> list[UpdateAction] | None:
        """What removes, changes and adds; ``None`` where entries cannot be told apart."""
        pairs = self._pairs(before, after)
        if pairs is None:
            return None
        matched = [old for old, _ in pairs if old is not None]
        gone = [one for one in before if not any(one is old for old in matched)]
        made = [self.remove(one) for one in gone] if self.remove else []
        for old, new in pairs:
            if old is not None and not self.equal(old, new):
                if self.change is not None:
                    made += self.change(old, new)
                elif self.remove is not None:
                    made += [self.remove(old), self.add(new)]
        return made + [self.add(new) for old, new in pairs if old is None]

    def _pairs(self, before: Sequence[Any], after: Sequence[Any]) -> list[tuple[Any, Any]] | None:
        for name in self.by:
            if all(name(one) is not None for one in (*before, *after)):
                known = {name(one): one for one in before}
                return [(known.get(name(one)), one) for one in after]
        if self.whole is not None:
            return None
        return [(self._match(one, before), one) for one in after]

    def _match(self, wanted: Any, before: Sequence[Any]) -> Any:
        for name in self.by:
            wish = name(wanted)
            found = next((one for one in before if wish is not None and name(one) == wish), None)
            if found is not None:
                return found
        return None


def _entries(value: Raw) -> list[Any]:
    return list(value) if isinstance(value, list | tuple) else []


def _without_nulls(value: Raw) -> Raw:
    return {name: one for name, one in value.items() if one is not None} if isinstance(value, Mapping) else value
