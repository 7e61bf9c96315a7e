"""Tables as httpd keeps headers and variables: names in any case, text only, a name more than once where it was added.

`table[name]` is a list when the name is there several times, as in mod_python.
"""


class mp_table:
    """A case-insensitive dictionary that remembers the names as they were written."""

    __slots__ = ("_entries", "__weakref__")

    def __init__(self, *args, **kw):
        #: lower-case name -> (name as written, values)
        self._entries = {}
        if args or kw:
            self.update(*args, **kw)

    def __getitem__(self, key):
        values = self._entries[_folded(key)][1]
        return values[0] if len(values) == 1 else list(values)

    def __setitem__(self, key, value):
        self._entries[_folded(key)] = (key, [_text(value)])

    def __delitem__(self, key):
        self._entries.pop(_folded(key), None)

    def add(self, key, value):
        """Adds a value and keeps those the name has."""
        known = self._entries.get(_folded(key))
        if known:
            known[1].append(_text(value))
        else:
            self._entries[_folded(key)] = (key, [_text(value)])

    def mget(self, key):
        """All values of a name, as a list."""
        known = self._entries.get(_folded(key))
        return list(known[1]) if known else []

    def __contains__(self, key):
        return isinstance(key, str) and key.lower() in self._entries

    has_key = __contains__

    def get(self, key, default=None):
        return self[key] if key in self else default

    def setdefault(self, key, default=""):
        if key not in self:
            self[key] = default
        return self[key]

    def items(self):
        """Each pair; a name that is there twice comes twice."""
        return [(name, value) for name, values in self._entries.values() for value in values]

    def keys(self):
        return [name for name, _ in self.items()]

    def values(self):
        return [value for _, value in self.items()]

    def iteritems(self):
        return iter(self.items())

    def iterkeys(self):
        return iter(self.keys())

    def itervalues(self):
        return iter(self.values())

    __iter__ = iterkeys

    def __len__(self):
        return sum(len(values) for _, values in self._entries.values())

    def pop(self, key, *default):
        if key not in self and default:
            return default[0]
        value = self[key]
        del self[key]
        return value

    def popitem(self):
        if not self._entries:
            raise KeyError("popitem(): table is empty")
        name = next(reversed(self._entries))
        written, values = self._entries[name]
        value = values.pop()
        if not values:
            del self._entries[name]
        return written, value

    def update(self, *args, **kw):
        if len(args) > 1:
            raise TypeError(f"update expected at most 1 argument, got {len(args)}")
        for source in (*args, kw):
            if hasattr(source, "keys") and not isinstance(source, mp_table):
                source = [(key, source[key]) for key in source.keys()]
            elif isinstance(source, mp_table):
                source = [(name, value) for name in dict.fromkeys(source.keys()) for value in source.mget(name)]
                for name, _ in source:
                    del self[name]
                for name, value in source:
                    self.add(name, value)
                continue
            for key, value in source:
                self[key] = value

    def clear(self):
        self._entries.clear()

    def copy(self):
        other = type(self)()
        other._entries = {name: (written, list(values)) for name, (written, values) in self._entries.items()}
        return other

    def __eq__(self, other):
        if isinstance(other, mp_table):
            mine, theirs = self._entries.items(), other._entries
            return len(theirs) == len(mine) and all(
                name in theirs and theirs[name][1] == values for name, (_, values) in mine
            )
        if isinstance(other, dict):
            return self == mp_table(other)
        return NotImplemented

    __hash__ = None

    def __repr__(self):
        return "{" + ", ".join(f"{name!r}: {value!r}" for name, value in self.items()) + "}"


table = mp_table


def make_table(*args):
    return mp_table(*args)


def _folded(key):
    if not isinstance(key, str):
        raise TypeError(f"table keys must be strings, not {type(key).__name__}")
    return key.lower()


def _text(value):
    if isinstance(value, str) or value is None:
        return value
    if isinstance(value, bytes):
        return value.decode("latin-1")
    raise TypeError(f"table values must be strings, not {type(value).__name__}")
