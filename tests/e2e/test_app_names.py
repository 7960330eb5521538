"""APP arguments taken apart, without a daemon: the worker's own script."""

import pytest
from harness import scripts

application_name = scripts.load("application_name")


@pytest.mark.parametrize(
    ("app", "target", "attribute", "arguments"),
    [
        ("blog", "blog", "application", None),
        ("blog.wsgi", "blog.wsgi", "application", None),
        ("blog:app", "blog", "app", None),
        ("blog:sites.main", "blog", "sites.main", None),
        ("blog:create_app()", "blog", "create_app", ([], {})),
        ("blog:sites.create( )", "blog", "sites.create", ([], {})),
        ("blog:f('a:b()', 1, k=[True, None, -2.5])", "blog", "f",
         (["a:b()", 1], {"k": [True, None, -2.5]})),
        ('/srv/a b/x.py:f({"a": (1, b"")})', "/srv/a b/x.py", "f", ([{"a": (1, b"")}], {})),
        ("/srv/a:b/x.wsgi", "/srv/a:b/x.wsgi", "application", None),
        ("/srv/a:b/x.wsgi:app", "/srv/a:b/x.wsgi", "app", None),
        ('/srv/x.py:f("/etc/blog.ini")', "/srv/x.py", "f", (["/etc/blog.ini"], {})),
        ("blög:größe", "blög", "größe", None),
    ],
)
def test_app_arguments(app, target, attribute, arguments):
    name = application_name.parse(app)
    assert (name.target, name.attribute) == (target, attribute)
    call = name.call and (name.call.positional, name.call.keywords)
    assert call == arguments


@pytest.mark.parametrize(
    ("app", "reason"),
    [
        ("blog:", "neither module:callable nor"),
        ("blog:1", "neither module:callable nor"),
        (":app", "neither module:callable nor"),
        ("blog:f().x", "neither module:callable nor"),
        ("blog:f(x)", "not all literals"),
        ("blog:f(open('/etc/passwd'))", "not all literals"),
        ("blog:f(*[1])", "not all literals"),
        ("blog:f(**{'a': 1})", "not all literals"),
        ("blog:f(1 for x in y)", "not all literals"),
        ("blog:f(a=1, a=2)", "no Python"),
        ("blog:f(1", "neither module:callable nor"),
        ("blog:f(')", "no Python"),
        ("blog:f()()", "not one call"),
        ("blog:f() or g()", "not one call"),
    ],
)
def test_wrong_app_arguments_are_explained(app, reason):
    with pytest.raises(application_name.WrongName, match=reason):
        application_name.parse(app)
