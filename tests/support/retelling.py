"""A payload told anew: other ids, amounts and words in the very form that the venue uses.

A fixture tells of somebody's order; a test needs the same of its own. Nothing here knows any venue:
what a payload means is read by the venue's parser, and what has to change in it is found by trying.

    retell(payload, look, {"client_order_id": "CBT1", "status": OrderStatus.FILLED}, lexicon)

`look` gives what the payload means, by name. For each name a leaf is sought that holds the old
value (numbers in any spelling, times in any unit, amounts as contracts, as averages, as what is
left), and the answer counts only if the parser reads the new value from it and all that was settled
before.
"""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import Enum
from functools import partial
from typing import Any

import msgspec

from core.money import ZERO, text

Path = tuple[Any, ...]
Look = Callable[[Any], Mapping[str, Any]]

_UNITS = (1, 10**3, 10**6, 10**9)  # of times, in nanoseconds
_AMOUNT = Decimal(10) ** 9  # larger numbers are ids and times
_WORD = 40  # longer strings are no words


class CannotRetellError(AssertionError):
    """No change of single values makes the payload mean what is wanted."""


def encode(payload: Any) -> bytes:
    """Compact JSON; numbers that are msgspec.Raw stay as they are spelled."""
    return msgspec.json.encode(payload)


def leaves(payload: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """All values that hold no others, with where they are."""
    if isinstance(payload, dict | list):
        for key, item in payload.items() if isinstance(payload, dict) else enumerate(payload):
            yield from leaves(item, (*path, key))
    else:
        yield path, payload


@dataclass(frozen=True)
class Key:
    """The last step of a path that leads to a member's name, not to its value."""

    name: str


def keys(payload: Any, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """All members' names: a venue may list things by their ids."""
    if isinstance(payload, dict):
        for key in payload:
            yield (*path, Key(key)), key
    if isinstance(payload, dict | list):
        for key, item in payload.items() if isinstance(payload, dict) else enumerate(payload):
            yield from keys(item, (*path, key))


def lists(payload: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """All arrays, and the objects that list others by a name; outer ones first."""
    if isinstance(payload, list) or (
        isinstance(payload, dict) and all(isinstance(item, dict) for item in payload.values())
    ):
        yield path, payload
    if isinstance(payload, dict | list):
        for key, item in payload.items() if isinstance(payload, dict) else enumerate(payload):
            yield from lists(item, (*path, key))


def without(items: Any, place: int) -> Any:
    """A list of `lists` without one element."""
    if isinstance(items, dict):
        return {key: item for n, (key, item) in enumerate(items.items()) if n != place}
    return items[:place] + items[place + 1 :]


def joined(parts: Sequence[Any]) -> Any:
    """Lists of `lists` as one."""
    if isinstance(parts[0], dict):
        return {key: item for part in parts for key, item in part.items()}
    return [item for part in parts for item in part]


def at(payload: Any, path: Path) -> Any:
    """What is there."""
    for step in path:
        payload = payload[step]
    return payload


def put(payload: Any, changes: Mapping[Path, Any]) -> Any:
    """A copy with other values at some places."""
    changed = copy.deepcopy(payload)
    for path, value in changes.items():
        if not path:
            return value
        node, last = at(changed, path[:-1]), path[-1]
        if isinstance(last, Key):
            renamed = {value if key == last.name else key: item for key, item in node.items()}
            node.clear()
            node.update(renamed)
        else:
            node[last] = value
    return changed


@dataclass(frozen=True)
class Lexicon:
    """How a venue speaks: `words` are tried where one is to change (a status, a side), `records`
    where several have to change together; `names` are its names for ours (symbols); `factor` is the
    base units of a contract."""

    words: Sequence[str] = ()
    records: Sequence[Mapping[str, Any]] = ()
    names: Mapping[str, str] = field(default_factory=dict)
    factor: Decimal = Decimal(1)


def is_word(leaf: Any) -> bool:
    """Whether a value may be one of a venue's words."""
    return isinstance(leaf, str) and len(leaf) < _WORD and leaf.replace("_", "").isalpha()


def records(payload: Any) -> Iterator[Mapping[str, Any]]:
    """The words of each object of a payload."""
    if isinstance(payload, dict):
        found = {key: leaf for key, leaf in payload.items() if is_word(leaf)}
        if found:
            yield found
    if isinstance(payload, dict | list):
        for item in payload.values() if isinstance(payload, dict) else payload:
            yield from records(item)


def retell(payload: Any, look: Look, wanted: Mapping[str, Any], lexicon: Lexicon) -> Any:
    """The payload changed so that it means what is wanted. What it does not tell at all (None or
    empty) stays untold. Where an amount follows from a word, the words have to come first."""
    try:
        return _retell(payload, look, wanted, lexicon)
    except CannotRetellError:
        words_first = sorted(wanted.items(), key=lambda pair: not isinstance(pair[1], Enum))
        return _retell(payload, look, dict(words_first), lexicon)


def _retell(payload: Any, look: Look, wanted: Mapping[str, Any], lexicon: Lexicon) -> Any:
    settled: dict[str, Any] = {}
    for name, new in wanted.items():
        old = look(payload)[name]
        if old is None or old == "":
            continue
        if old != new:
            payload = _changed(payload, look, settled, name, (old, new), lexicon)
        settled[name] = new
    return payload


def _changed(
    payload: Any,
    look: Look,
    settled: Mapping[str, Any],
    name: str,
    values: tuple[Any, Any],
    lexicon: Lexicon,
) -> Any:
    known = [value for value in settled.values() if isinstance(value, Decimal) and value]
    known += [value for value in dict.fromkeys(_numbers(payload)) if value not in known]
    for changes in _candidates(payload, *values, lexicon, known):
        trial = put(payload, changes)
        try:
            found = look(trial)
        except Exception:  # noqa: BLE001 - a wrong guess; the parser says no in many ways
            continue
        if found.get(name) == values[1] and all(found.get(k) == v for k, v in settled.items()):
            return trial
    raise CannotRetellError(f"{name}: {values[0]!r} does not become {values[1]!r} in {payload}")


def _candidates(
    payload: Any, old: Any, new: Any, lexicon: Lexicon, known: Sequence[Decimal]
) -> Iterator[dict[Path, Any]]:
    """Changes worth trying: all places that hold the old value at once, then each alone; zero
    stands for many things, so that there it is the other way round."""
    if isinstance(old, Enum | bool):
        yield from _wordings(payload, lexicon)
        return
    for rule in _rules(old, new, lexicon, known):
        found = {}
        for path, leaf in leaves(payload):
            value = rule(leaf)
            if value is not None:
                found[path] = value
        if isinstance(old, str):
            found.update({path: new for path, key in keys(payload) if key == old})
        each = [{path: value} for path, value in found.items()]
        if old:
            yield found
            yield from each
        else:
            yield from each
            yield found


def _wordings(payload: Any, lexicon: Lexicon) -> Iterator[dict[Path, Any]]:
    """One word changed, then all words of an object as in another object of the kind."""
    for path, leaf in leaves(payload):
        if isinstance(leaf, bool):
            yield {path: not leaf}
        elif isinstance(leaf, str) and len(leaf) < _WORD:
            for word in lexicon.words:
                yield {path: word}
    for path, node in _objects(payload):
        for record in lexicon.records:
            if len(record.keys() & node.keys()) > 1:
                yield {(*path, key): word for key, word in record.items() if key in node}


def _objects(payload: Any, path: Path = ()) -> Iterator[tuple[Path, dict[str, Any]]]:
    if isinstance(payload, dict):
        yield path, payload
    if isinstance(payload, dict | list):
        for key, item in payload.items() if isinstance(payload, dict) else enumerate(payload):
            yield from _objects(item, (*path, key))


Rule = Callable[[Any], Any]


def _rules(old: Any, new: Any, lexicon: Lexicon, known: Sequence[Decimal]) -> Iterator[Rule]:
    """Leaf → what it becomes, None where it holds something else."""
    if isinstance(old, Decimal):
        for by, whole in _amounts(lexicon.factor, known):
            yield partial(_number, old=(whole - old) * by, new=(whole - new) * by)
    elif isinstance(old, int):
        for unit in _UNITS:
            yield partial(_number, old=Decimal(old) / unit, new=Decimal(new) / unit, truncated=True)
        yield partial(_moment, old=old, new=new)
    else:
        yield partial(_text, old=str(old), new=str(new))
        if old in lexicon.names:
            yield partial(_text, old=lexicon.names[old], new=lexicon.names.get(new, new))
        if len(str(old)) > 3:
            yield partial(_inside, old=str(old), new=str(new))


def _amounts(factor: Decimal, known: Sequence[Decimal]) -> Iterator[tuple[Decimal, Decimal]]:
    """How an amount may be told: so many times it (a sum as an average, base units as contracts, a
    fee as negative), or so many times what is left of a whole."""
    times = dict.fromkeys([Decimal(1), 1 / factor, *(1 / value for value in known)])
    for by in times:
        yield -by, ZERO
        yield by, ZERO
    for by in dict.fromkeys((Decimal(1), 1 / factor)):
        for whole in known:
            yield by, whole


def _numbers(payload: Any) -> Iterator[Decimal]:
    for _, leaf in leaves(payload):
        value = _decimal(leaf)
        if value and abs(value) < _AMOUNT:
            yield value


def _text(leaf: Any, old: str, new: str) -> Any:
    if leaf is None or isinstance(leaf, bool) or str(leaf) != old:
        return None
    return int(new) if isinstance(leaf, int) and new.isdecimal() else new


def _inside(leaf: Any, old: str, new: str) -> Any:
    return leaf.replace(old, new) if isinstance(leaf, str) and old in leaf else None


def _number(leaf: Any, old: Decimal, new: Decimal, truncated: bool = False) -> Any:
    value = _decimal(leaf)
    if value is None:
        return None
    if value == old:
        said = text(new)
    elif truncated and value == int(old):
        said = str(int(new))
    else:
        return None
    return said if isinstance(leaf, str) else msgspec.Raw(said.encode())


def _decimal(leaf: Any) -> Decimal | None:
    if isinstance(leaf, bool) or not isinstance(leaf, str | int | float | msgspec.Raw):
        return None
    try:
        value = Decimal(bytes(leaf).decode() if isinstance(leaf, msgspec.Raw) else str(leaf))
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def _moment(leaf: Any, old: int, new: int) -> str | None:
    """A time written as a date."""
    if not isinstance(leaf, str) or "T" not in leaf or not leaf[:4].isdecimal():
        return None
    try:
        told = datetime.fromisoformat(leaf[:26].rstrip("Z"))
    except ValueError:
        return None
    if int(told.replace(tzinfo=UTC).timestamp()) != old // 10**9:
        return None
    whole = datetime.fromtimestamp(new // 10**9, UTC)
    digits = len(leaf.partition(".")[2].rstrip("Z"))
    fraction = f".{new % 10**9:09}"[: digits + 1] if digits else ""
    return f"{whole:%Y-%m-%dT%H:%M:%S}{fraction}Z"


def narrowed(payload: Any, keep: Callable[[Any], bool]) -> Any:
    """The payload without the array elements that it can do without, and still be kept."""
    while True:
        for path, items in list(lists(payload)):
            for place in reversed(range(len(items))):
                trial = put(payload, {path: without(items, place)})
                if _holds(keep, trial):
                    payload = trial
                    break
            else:
                continue
            break
        else:
            return payload


def emptied(payload: Any, keep: Callable[[Any], bool]) -> Any:
    """The payload with one of its arrays empty, the outermost that does it."""
    for path, items in lists(payload):
        trial = put(payload, {path: type(items)()})
        if _holds(keep, trial):
            return trial
    raise CannotRetellError(f"no array of {payload} can be empty")


def _holds(keep: Callable[[Any], bool], payload: Any) -> bool:
    try:
        return keep(payload)
    except Exception:  # noqa: BLE001 - a wrong guess; the parser says no in many ways
        return False
