// SCRIPT_NAME and PATH_INFO from whatever the front server sends (FRONTS.md 3.9, CONTRACT.md).
#include "daemon/gateway/cgi_request.h"
#include "tests/unit/catch.h"
#include "tests/unit/cgi_request_help.h"

#include <string>
#include <vector>

using pycgid::CgiRequest;
using pycgid::RequestRules;

namespace {

using Strings = std::vector<std::string>;

// SCRIPT_NAME and PATH_INFO.
Strings paths(const Variables& variables, const RequestRules& rules = {}) {
  CgiRequest request;
  if (auto refusal = fill(request, variables, rules)) return {"refused", refusal->reason};
  return {std::string(request.get("SCRIPT_NAME")), std::string(request.get("PATH_INFO"))};
}

Strings root(const Variables& variables) {
  return paths(variables);
}
Strings app(const Variables& variables) {
  return paths(variables, {"/app", false});
}

// The stock fastcgi_params and scgi_params of nginx, as far as paths go.
Variables nginx_fastcgi(const std::string& uri, const std::string& path) {
  return {{"SCRIPT_NAME", path}, {"REQUEST_URI", uri}, {"DOCUMENT_URI", path}};
}
// fastcgi_index has added a name to a path that ends in a slash.
Variables nginx_indexed(const std::string& uri, const std::string& path, const std::string& index) {
  return {{"SCRIPT_NAME", path + index}, {"REQUEST_URI", uri}, {"DOCUMENT_URI", path}};
}
Variables nginx_scgi(const std::string& uri, const std::string& path) {
  return {{"REQUEST_URI", uri}, {"DOCUMENT_URI", path}};
}

}  // namespace

TEST_CASE("3.9: nginx fastcgi", "[gateway]") {
  CHECK(root(nginx_fastcgi("/a%20b/c?x=1", "/a b/c")) == Strings{"", "/a b/c"});
  CHECK(root(nginx_fastcgi("/", "/")) == Strings{"", "/"});
  CHECK(app(nginx_fastcgi("/app/a%20b", "/app/a b")) == Strings{"/app", "/a b"});
  CHECK(app(nginx_fastcgi("/app", "/app")) == Strings{"/app", ""});
  CHECK(app(nginx_fastcgi("/app/", "/app/")) == Strings{"/app", "/"});
}

TEST_CASE("3.9: nginx fastcgi with merge_slashes", "[gateway]") {
  CHECK(root(nginx_fastcgi("//a//b", "/a/b")) == Strings{"", "/a/b"});
  CHECK(app(nginx_fastcgi("/app//b/", "/app/b/")) == Strings{"/app", "/b/"});
}

TEST_CASE("3.9: nginx fastcgi_index goes again", "[gateway]") {
  CHECK(root(nginx_indexed("/?x=/", "/", "index.php")) == Strings{"", "/"});
  CHECK(app(nginx_indexed("/app/a%20b/", "/app/a b/", "index.py")) == Strings{"/app", "/a b/"});
  CHECK(app(nginx_indexed("/old/", "/app/new/", "index.py")) == Strings{"/app", "/new/"});
}

TEST_CASE("3.9: a path that was asked for keeps its last name", "[gateway]") {
  CHECK(root(nginx_fastcgi("/index.php", "/index.php")) == Strings{"", "/index.php"});
  CHECK(root(nginx_fastcgi("/a", "/a/index.php")) == Strings{"", "/a/index.php"});
  CHECK(root(nginx_fastcgi("/", "/a/index.php")) == Strings{"", "/a/index.php"});
}

TEST_CASE("3.9: what nginx has rewritten stays, also where it looks like an index", "[gateway]") {
  CHECK(root(nginx_fastcgi("/", "/env")) == Strings{"", "/env"});
  CHECK(root(nginx_fastcgi("/?x", "/index.html")) == Strings{"", "/index.html"});
  CHECK(app(nginx_fastcgi("/app/", "/app/start")) == Strings{"/app", "/start"});
  CHECK(root(nginx_scgi("/", "/env")) == Strings{"", "/env"});
}

TEST_CASE("3.9: a path beside the mount is no stripped one", "[gateway]") {
  CHECK(app(nginx_fastcgi("/appendix", "/appendix")) == Strings{"", "/appendix"});
  CHECK(app(nginx_fastcgi("/%61ppendix/x", "/appendix/x")) == Strings{"", "/appendix/x"});
  CHECK(app(nginx_fastcgi("/other", "/other")) == Strings{"", "/other"});
  CHECK(app({{"PATH_INFO", "endix"}, {"REQUEST_URI", "/appendix"}}) == Strings{"", "/appendix"});
  CHECK(app({{"PATH_INFO", "/other"}, {"REQUEST_URI", "/o"}}) == Strings{"", "/other"});
}

TEST_CASE("3.9: a stripped mount is seen however the URI writes it", "[gateway]") {
  for (const char* uri :
       {"/app/x", "/%61pp/x?y", "//app//x", "/./app/x", "/z/../app/x", "http://host/app/x", ""}) {
    CHECK(app({{"PATH_INFO", "/x"}, {"REQUEST_URI", uri}}) == Strings{"/app", "/x"});
  }
  CHECK(app({{"PATH_INFO", "/"}, {"REQUEST_URI", "/app"}}) == Strings{"/app", "/"});
}

TEST_CASE("3.9: nginx scgi", "[gateway]") {
  CHECK(root(nginx_scgi("/a%2Fb?x=1", "/a/b")) == Strings{"", "/a/b"});
  CHECK(app(nginx_scgi("/app/x", "/app/x")) == Strings{"/app", "/x"});
}

TEST_CASE("3.9: lighttpd, prefix /app, check-local off", "[gateway]") {
  const Variables sent{{"SCRIPT_NAME", "/app"}, {"PATH_INFO", "/foo"}, {"REQUEST_URI", "/app/foo"}};
  CHECK(app(sent) == Strings{"/app", "/foo"});
  CHECK(root(sent) == Strings{"", "/app/foo"});
}

TEST_CASE("3.9: lighttpd, prefix / without fix-root-scriptname", "[gateway]") {
  CHECK(root({{"SCRIPT_NAME", "/a"}, {"PATH_INFO", "/b"}, {"REQUEST_URI", "/a/b"}}) ==
        Strings{"", "/a/b"});
  CHECK(app({{"SCRIPT_NAME", "/app"}, {"REQUEST_URI", "/app"}}) == Strings{"/app", ""});
  CHECK(app({{"SCRIPT_NAME", "/app"}, {"PATH_INFO", "/b"}, {"REQUEST_URI", "/app/b"}}) ==
        Strings{"/app", "/b"});
}

TEST_CASE("3.9: lighttpd, prefix / with fix-root-scriptname", "[gateway]") {
  const Variables sent{{"SCRIPT_NAME", ""}, {"PATH_INFO", "/app/b"}, {"REQUEST_URI", "/app/b"}};
  CHECK(root(sent) == Strings{"", "/app/b"});
  CHECK(app(sent) == Strings{"/app", "/b"});
}

TEST_CASE("3.9: Caddy transport fastcgi", "[gateway]") {
  const Variables sent{{"SCRIPT_NAME", ""},
                       {"PATH_INFO", "/app/a b"},
                       {"DOCUMENT_URI", ""},
                       {"REQUEST_URI", "/app/a%20b"}};
  CHECK(root(sent) == Strings{"", "/app/a b"});
  CHECK(app(sent) == Strings{"/app", "/a b"});
}

TEST_CASE("3.9: Caddy handle_path has stripped the mount", "[gateway]") {
  const Variables sent{{"SCRIPT_NAME", ""}, {"PATH_INFO", "/foo"}, {"REQUEST_URI", "/app/foo"}};
  CHECK(app(sent) == Strings{"/app", "/foo"});
  CHECK(root(sent) == Strings{"", "/foo"});
}

TEST_CASE("3.9: Apache ProxyPass fcgi", "[gateway]") {
  const Variables sent{{"SCRIPT_NAME", "/app/a b"}, {"REQUEST_URI", "/app/a%20b"}};
  CHECK(root(sent) == Strings{"", "/app/a b"});
  CHECK(app(sent) == Strings{"/app", "/a b"});
}

TEST_CASE("3.9: Apache with proxy-fcgi-pathinfo=unescape", "[gateway]") {
  const Variables sent{
      {"SCRIPT_NAME", "/app"}, {"PATH_INFO", "/a b"}, {"REQUEST_URI", "/app/a%20b"}};
  CHECK(app(sent) == Strings{"/app", "/a b"});
  CHECK(root(sent) == Strings{"", "/app/a b"});
}

TEST_CASE("3.9: Apache with proxy-fcgi-pathinfo=1 or proxy-scgi-pathinfo=1", "[gateway]") {
  CHECK(
      app({{"SCRIPT_NAME", "/app/a b"}, {"PATH_INFO", "/a%20b"}, {"REQUEST_URI", "/app/a%20b"}}) ==
      Strings{"/app", "/a b"});
  CHECK(app({{"SCRIPT_NAME", "/app/a/b c"},
             {"PATH_INFO", "/a/b%20c/dAe/f"},
             {"REQUEST_URI", "/app/a/b%20c/d%41e/f"}}) == Strings{"/app", "/a/b c/dAe/f"});
  CHECK(app({{"SCRIPT_NAME", "/app/%41x"},
             {"PATH_INFO", "/%2541x"},
             {"REQUEST_URI", "/app/%25%34%31x"}}) == Strings{"/app", "/%41x"});
  CHECK(root({{"SCRIPT_NAME", "/app"}, {"PATH_INFO", "/a%20b"}, {"REQUEST_URI", "/app/a%20b"}}) ==
        Strings{"", "/app/a b"});
}

TEST_CASE("3.9: a PATH_INFO that holds a decoded percent sign is not decoded again", "[gateway]") {
  CHECK(root({{"PATH_INFO", "/100%25"}, {"REQUEST_URI", "/100%2525"}}) == Strings{"", "/100%25"});
  CHECK(app({{"PATH_INFO", "/%41"}, {"REQUEST_URI", "/app/%2541"}}) == Strings{"/app", "/%41"});
  CHECK(root({{"PATH_INFO", "/%41"}, {"REQUEST_URI", "/app/%2541"}}) == Strings{"", "/%41"});
}

TEST_CASE("3.9: HAProxy without path-info", "[gateway]") {
  const Variables sent{{"SCRIPT_NAME", "/app/a b"}, {"REQUEST_URI", "/app/a%20b?q"}};
  CHECK(root(sent) == Strings{"", "/app/a b"});
  CHECK(app(sent) == Strings{"/app", "/a b"});
  CHECK(root({{"SCRIPT_NAME", "/index.php"}, {"REQUEST_URI", "/"}}) == Strings{"", "/"});
}

TEST_CASE("3.9: HAProxy path-info ^()(/.*)$", "[gateway]") {
  const Variables sent{{"PATH_INFO", "/app/foo"}, {"REQUEST_URI", "/app/foo"}};
  CHECK(root(sent) == Strings{"", "/app/foo"});
  CHECK(app(sent) == Strings{"/app", "/foo"});
}

TEST_CASE("3.9: OpenBSD httpd", "[gateway]") {
  const Variables sent{{"SCRIPT_NAME", "/app"}, {"PATH_INFO", ""}, {"REQUEST_URI", "/app"}};
  CHECK(root(sent) == Strings{"", "/app"});
  CHECK(app(sent) == Strings{"/app", ""});
}

TEST_CASE("3.9: Cherokee", "[gateway]") {
  const Variables sent{{"SCRIPT_NAME", "/app/x"}, {"PATH_INFO", ""}, {"REQUEST_URI", "/app/x"}};
  CHECK(root(sent) == Strings{"", "/app/x"});
  CHECK(app(sent) == Strings{"/app", "/x"});
}

TEST_CASE("paths: the mount counts at a slash only", "[gateway]") {
  CHECK(app({{"SCRIPT_NAME", "/apple"}}) == Strings{"/app", "/apple"});
  CHECK(paths({{"SCRIPT_NAME", "/a/b/c"}}, {"/a/b", false}) == Strings{"/a/b", "/c"});
}

TEST_CASE("W3: SCRIPT_NAME never ends in a slash", "[gateway]") {
  CHECK(root({{"SCRIPT_NAME", "/"}, {"PATH_INFO", "/foo"}}) == Strings{"", "/foo"});
  CHECK(paths({{"SCRIPT_NAME", "/"}, {"PATH_INFO", ""}}, {"", true}) == Strings{"", "/"});
  CHECK(paths({{"SCRIPT_NAME", "/x/"}, {"PATH_INFO", "y"}}, {"", true}) == Strings{"/x", "/y"});
  CHECK(paths({{"SCRIPT_NAME", "/x/"}, {"PATH_INFO", "/y"}}, {"", true}) == Strings{"/x", "/y"});
}

TEST_CASE("paths: path-info=front takes them as sent", "[gateway]") {
  const RequestRules front{"/app", true};
  CHECK(paths({{"SCRIPT_NAME", "/s"}, {"PATH_INFO", "/%20"}, {"REQUEST_URI", "/s/%20"}}, front) ==
        Strings{"/s", "/%20"});
  CHECK(paths({{"PATH_INFO", "/p"}, {"REQUEST_URI", "/app/p"}}, front) == Strings{"", "/p"});
  CHECK(paths({{"REQUEST_URI", "/app/p"}}, front) == Strings{"", ""});
}

TEST_CASE("paths: REQUEST_URI alone is decoded once", "[gateway]") {
  CHECK(root({{"REQUEST_URI", "/a%20%C3%A9%2f%252f?b=%20"}}) == Strings{"", "/a \xC3\xA9/%2f"});
  CHECK(app({{"REQUEST_URI", "/%61pp/x"}}) == Strings{"/app", "/x"});
}

TEST_CASE("paths: invalid escapes stay as they are", "[gateway]") {
  CHECK(root({{"REQUEST_URI", "/%zz%4%%41%"}}) == Strings{"", "/%zz%4%A%"});
}

TEST_CASE("paths: absolute-form REQUEST_URI (haproxy#1232)", "[gateway]") {
  CHECK(root({{"REQUEST_URI", "https://h:8443/a%20b?x=1"}}) == Strings{"", "/a b"});
  CHECK(root({{"REQUEST_URI", "https://h"}}) == Strings{"", "/"});
  CHECK(root({{"REQUEST_URI", "https://h?x=/y"}}) == Strings{"", "/"});
  CHECK(root({{"SCRIPT_NAME", "/index.php"}, {"REQUEST_URI", "http://h/"}}) == Strings{"", "/"});
}

TEST_CASE("paths: what only looks absolute is a path", "[gateway]") {
  CHECK(root({{"REQUEST_URI", "//h/a"}}) == Strings{"", "//h/a"});
  CHECK(root({{"REQUEST_URI", "/x://h/a"}}) == Strings{"", "/x://h/a"});
  CHECK(root({{"REQUEST_URI", "x/y://h/a"}}) == Strings{"", "x/y://h/a"});
  CHECK(root({{"REQUEST_URI", "*"}}) == Strings{"", "*"});
}

TEST_CASE("paths: none at all, or with NUL, is refused", "[gateway]") {
  CHECK(paths({})[0] == "refused");
  CHECK(root({{"REQUEST_URI", "/a%00b"}})[0] == "refused");
}

TEST_CASE("F31: an authorizer needs no paths", "[gateway]") {
  CgiRequest request;
  CHECK(!fill(request, {{"FCGI_ROLE", "AUTHORIZER"}}));
  CHECK(request.get("FCGI_ROLE") == "AUTHORIZER");
  CHECK(has(written(request), "PATH_INFO"));
}
