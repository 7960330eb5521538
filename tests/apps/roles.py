"""An application for the roles Authorizer and Filter beside Responder."""


def application(environ, start_response):
    role = environ.get("FCGI_ROLE", "")
    return {"AUTHORIZER": authorizer, "FILTER": filter_}.get(role, responder)(
        environ, start_response
    )


def responder(_, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"responder"]


def authorizer(environ, start_response):
    """Lets Alice in, and tells the server her quota."""
    if environ.get("REMOTE_USER") == "alice":
        start_response("200 OK", [("Variable-Quota", "5")])
        return []
    start_response("403 Forbidden", [("Content-Type", "text/plain")])
    return [b"not for you"]


def filter_(environ, start_response):
    """Upper case of the file, behind what the client sent."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [environ["wsgi.input"].read(), b":", environ["pycgid.data"].read().upper()]
