"""`mod_python.publisher`: a URL names a function of a module, and its arguments are the form's fields.

`/guestbook.py/sign?name=x` and `/guestbook/sign?name=x` call `sign(req, name)` of `guestbook.py` in the folder. What starts
with an underscore, modules, classes and built-in functions are never reached. `__auth__`, `__access__` and
`__auth_realm__` of a module, of an object on the way, or inside a function say who may call it.
"""

import ast
import base64
import binascii
import inspect
import os
import types

from . import apache, util

_NOTHING = (False, False)
_LEAF = (False, True)
#: For each type: whether its attributes may be named in a URL, and whether it may be published itself.
_RULES = {
    types.FunctionType: _LEAF,
    types.MethodType: _LEAF,
    types.GeneratorType: _LEAF,
    types.BuiltinFunctionType: _NOTHING,
    types.MethodWrapperType: _NOTHING,
    types.WrapperDescriptorType: _NOTHING,
    types.MethodDescriptorType: _NOTHING,
    types.ModuleType: _NOTHING,
    types.CodeType: _NOTHING,
    **dict.fromkeys((bool, int, float, complex, str, bytes, list, tuple, dict, set, frozenset, range, type(None)), _LEAF),
}
_BOTH = (True, True)
_EXTENSIONS = (".py", ".html", ".htm")


def handler(req):
    """Publishes what the URL names."""
    req.allow_methods(["GET", "POST", "HEAD"], 1)
    if req.method not in ("GET", "POST", "HEAD"):
        raise apache.SERVER_RETURN(apache.HTTP_METHOD_NOT_ALLOWED)
    file, names = _find(req)
    module = apache.import_module(file)
    realm, user, password = process_auth(req, module)
    found = resolve_object(req, module, names, realm, user, password)
    if not publish_object(req, found) and not req._pending and not req._streams:
        apache.log_error(f"mod_python.publisher: {req.uri} published nothing: {found!r} gave None", apache.APLOG_INFO)
    return apache.OK


def _find(req):
    """The module's file, and the name in it."""
    names = req.path_info.strip("/").replace("/", ".")
    folder, name = os.path.split(req.filename)
    if os.path.isdir(req.filename):
        folder, name = req.filename, "index"
    stem, extension = os.path.splitext(name)
    name = stem if extension in _EXTENSIONS else name
    file = os.path.join(folder, name + ".py")
    if not os.path.isfile(file):
        # Not a module: a name in index.py.
        file = os.path.join(folder, "index.py")
        if name == "index" or not os.path.isfile(file):
            raise apache.SERVER_RETURN(apache.HTTP_NOT_FOUND)
        names = f"{name}.{names}" if names else name
    return file, names or "index"


def resolve_object(req, module, object_str, realm=None, user=None, passwd=None):
    """Follows the names from the module on, and asks at each step whether this user may."""
    found = module
    for name in object_str.split("."):
        if name.startswith("_"):
            req.log_error(f"cannot access {name!r} in {object_str!r} because it starts with an underscore", apache.APLOG_WARNING)
            raise apache.SERVER_RETURN(apache.HTTP_FORBIDDEN)
        if found is not module and not _rule(found)[0]:
            raise apache.SERVER_RETURN(apache.HTTP_FORBIDDEN)
        try:
            found = getattr(found, name)
        except AttributeError:
            raise apache.SERVER_RETURN(apache.HTTP_NOT_FOUND) from None
        realm, user, passwd = process_auth(req, found, realm, user, passwd)
    if not _rule(found)[1]:
        raise apache.SERVER_RETURN(apache.HTTP_FORBIDDEN)
    return found


def _rule(found):
    if isinstance(found, (type, types.ModuleType)):
        return _NOTHING
    return _RULES.get(type(found), _BOTH)


def publish_object(req, found):
    """Writes an object; what can be called is called first. False when there was nothing to write."""
    if callable(found):
        if not hasattr(req, "form"):
            req.form = util.FieldStorage(req, keep_blank_values=1)
        return publish_object(req, util.apply_fs_data(found, req.form, req=req))
    if found is None:
        return False
    if hasattr(found, "__iter__") and not isinstance(found, (str, bytes, dict)):
        written = False
        for part in found:
            written = publish_object(req, part) or written
        return written
    if not isinstance(found, (str, bytes)):
        found = str(found)
    if not req._content_type_set:
        end = found[-100:]
        is_html = b"</html>" in end.lower() if isinstance(end, bytes) else "</html>" in end.lower()
        req.content_type = "text/html" if is_html else "text/plain"
        if isinstance(found, str):
            req.content_type += "; charset=UTF-8"
    req.write(found)
    return True


# Who may.


def process_auth(req, object, realm="unknown", user=None, passwd=None):
    """Asks the rules of one object; gives back who it is, for the next one."""
    rules = _rules_in_function(object) if isinstance(object, (types.FunctionType, types.MethodType)) else {}
    if not isinstance(object, (type, *_PLAIN)):
        for name in ("__auth__", "__access__", "__auth_realm__"):
            if name not in rules and hasattr(object, name):
                rules[name] = getattr(object, name)
    realm = rules.get("__auth_realm__", realm)
    if not rules:
        return realm, user, passwd
    if user is None:
        user, passwd = _credentials(req)
    if "__auth__" in rules:
        rule = rules["__auth__"]
        if user is None:
            passes = False
        elif callable(rule):
            passes = rule(req, user, passwd)
        elif isinstance(rule, dict):
            passes = user in rule and rule[user] == passwd
        else:
            passes = bool(rule)
        if not passes:
            req.err_headers_out["WWW-Authenticate"] = 'Basic realm="{}"'.format(str(realm).replace('"', "'"))
            raise apache.SERVER_RETURN(apache.HTTP_UNAUTHORIZED)
        req.user = user
    if "__access__" in rules:
        rule = rules["__access__"]
        if callable(rule):
            passes = rule(req, user)
        elif isinstance(rule, (list, tuple, set, frozenset)):
            passes = user in rule
        else:
            passes = bool(rule)
        if not passes:
            raise apache.SERVER_RETURN(apache.HTTP_FORBIDDEN)
    return realm, user, passwd


_PLAIN = (bool, int, float, complex, str, bytes, list, tuple, dict, set, frozenset, range, type(None))


def _credentials(req):
    scheme, _, coded = req.headers_in.get("Authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None, None
    try:
        user, colon, password = base64.b64decode(coded.strip()).decode("utf-8", "surrogateescape").partition(":")
    except (binascii.Error, ValueError):
        raise apache.SERVER_RETURN(apache.HTTP_BAD_REQUEST) from None
    return (user, password) if colon else (None, None)


def _rules_in_function(object):
    """`__auth__` and its kin that are defined or assigned inside a function."""
    function = inspect.unwrap(object.__func__ if isinstance(object, types.MethodType) else object)
    code = function.__code__
    names = {"__auth__", "__access__", "__auth_realm__"} & set(code.co_varnames + code.co_cellvars)
    if not names:
        return {}
    rules = {}
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType) and constant.co_name in names:
            rules[constant.co_name] = types.FunctionType(constant, function.__globals__)
    missing = names - set(rules)
    if missing:
        rules.update(_assigned(code, missing))
    return rules


_assignments = {}


def _assigned(code, names):
    """The constants that are assigned to these names in the function, from its source. A rule that is no constant is an error,
    for nobody may pass by a rule that cannot be read."""
    if code not in _assignments:
        with open(code.co_filename, "rb") as file:
            tree = ast.parse(file.read())
        found = None
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name == code.co_name:
                lines = [node.lineno, *(decorator.lineno for decorator in node.decorator_list)]
                if code.co_firstlineno in lines:
                    found = node
        values = {}
        for node in found.body if found is not None else ():
            if isinstance(node, ast.Assign):
                for target in node.targets:
                    if isinstance(target, ast.Name) and target.id in names:
                        values[target.id] = ast.literal_eval(node.value)
        if set(values) != names:
            raise ValueError(f"{code.co_name}: {', '.join(sorted(names))} in a function must be a constant, or a function")
        if len(_assignments) > 1000:
            _assignments.clear()
        _assignments[code] = values
    return _assignments[code]
