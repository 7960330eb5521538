"""Option debug-params: the log tells what the front sent and what the application got."""


def test_both_sides_are_logged(start):
    daemon = start("logged", "--debug-params", "--mount", "/front")
    daemon.get("/front/missing/x", HTTP_X_TEXT="a\nb")
    daemon.wait_line(r"logged: request \w+-1: the front sent SCRIPT_NAME=/front/missing/x$")
    daemon.wait_line(r"logged: request \w+-1: the front sent HTTP_X_TEXT=a\\nb$")
    daemon.wait_line(r"logged: request \w+-1: the application got SCRIPT_NAME=/front$")
    daemon.wait_line(r"logged: request \w+-1: the application got PATH_INFO=/missing/x$")
    daemon.wait_line(r"logged: request \w+-1: the application got pycgid.request_id=\w+-1$")


def test_credentials_are_not_shown(start):
    daemon = start("logged", "--debug-params")
    daemon.get("/missing", HTTP_COOKIE="secret", HTTP_AUTHORIZATION="Basic secret")
    daemon.wait_line(r"got HTTP_COOKIE=\(not shown, 6 bytes\)")
    daemon.wait_line(r"sent HTTP_AUTHORIZATION=\(not shown, 12 bytes\)")
    assert daemon.count("secret") == 0


def test_long_values_are_cut(start):
    daemon = start("logged", "--debug-params")
    daemon.get("/missing", HTTP_X_LONG="v" * 5000)
    daemon.wait_line(r"got HTTP_X_LONG=v{1024}\.\.\. \(5000 bytes\)$")


def test_nothing_is_logged_without_the_option(start):
    daemon = start("logged")
    daemon.get("/missing")
    daemon.stop()
    assert daemon.count("the front sent") == 0 == daemon.count("the application got")
