// What becomes of the variables other than the paths (CONTRACT.md, "What the application sees").
#include "daemon/gateway/cgi_request.h"

#include "tests/unit/catch.h"
#include "tests/unit/cgi_request_help.h"
#include "tests/unit/count_allocations.h"

#include <algorithm>
#include <string>
#include <vector>

using pycgid::CgiRequest;

namespace {

// One variable of a request for "/".
std::string seen(const std::string& name, Variables variables) {
  variables.emplace_back("REQUEST_URI", "/?a=1");
  CgiRequest request;
  if (auto refusal = fill(request, variables)) return "refused";
  return std::string(request.get(name));
}

int refused(Variables variables) {
  variables.emplace_back("REQUEST_URI", "/");
  CgiRequest request;
  const auto refusal = fill(request, variables);
  return refusal ? refusal->status : 0;
}

}  // namespace

// The first three as Apache 2.4.62 sends them: SCRIPT_NAME overlaps the encoded PATH_INFO.
TEST_CASE("request: the URI for log lines", "[gateway]") {
  CgiRequest request;
  CHECK(!fill(request, {{"SCRIPT_NAME", "/a"}, {"PATH_INFO", "/b"}}));
  CHECK(request.uri() == "/a/b");
  request.clear();
  CHECK(!fill(request, {{"SCRIPT_NAME", "/a b"}, {"REQUEST_URI", "/a%20b?c"}}));
  CHECK(request.uri() == "/a%20b?c");
}

TEST_CASE("request: the method must be there, and a token", "[gateway]") {
  CgiRequest request;
  request.add("REQUEST_URI", "/");
  CHECK(request.finish({}).value().status == 400);
  CHECK(refused({{"REQUEST_METHOD", "GE T"}}) == 400);
  CHECK(refused({{"REQUEST_METHOD", ""}}) == 400);
  CHECK(refused({{"REQUEST_METHOD", "VERSION-CONTROL"}}) == 0);
}

TEST_CASE("request: HEAD and Upgrade are recognised", "[gateway]") {
  CgiRequest request;
  CHECK(!fill(request, {{"REQUEST_METHOD", "HEAD"}, {"SCRIPT_NAME", "/"}}));
  CHECK(request.is_head());
  CHECK(!request.wants_upgrade());
  request.clear();
  CHECK(!fill(request, {{"HTTP_UPGRADE", "websocket"}, {"SCRIPT_NAME", "/"}}));
  CHECK(!request.is_head());
  CHECK(request.wants_upgrade());
}

TEST_CASE("W2: empty CONTENT_LENGTH and CONTENT_TYPE are absent", "[gateway]") {
  CgiRequest request;
  CHECK(!fill(request, {{"CONTENT_LENGTH", ""}, {"CONTENT_TYPE", ""}, {"SCRIPT_NAME", "/"}}));
  CHECK(!request.content_length());
  CHECK(!has(written(request), "CONTENT_LENGTH"));
  CHECK(!has(written(request), "CONTENT_TYPE"));
}

TEST_CASE("request: Caddy's CONTENT_LENGTH -1 is absent", "[gateway]") {
  CgiRequest request;
  CHECK(!fill(request, {{"CONTENT_LENGTH", "-1"}, {"SCRIPT_NAME", "/"}}));
  CHECK(!request.content_length());
  CHECK(!has(written(request), "CONTENT_LENGTH"));
}

TEST_CASE("S10: CONTENT_LENGTH is digits up to 2^63-1", "[gateway]") {
  CgiRequest request;
  CHECK(!fill(request, {{"CONTENT_LENGTH", "9223372036854775807"}, {"SCRIPT_NAME", "/"}}));
  CHECK(request.content_length() == 9223372036854775807U);
  for (const char* bad :
       {"9223372036854775808", "18446744073709551617", "-2", "+1", "1 ", "0x1", "1,1", "a", " "}) {
    CHECK(refused({{"CONTENT_LENGTH", bad}}) == 400);
  }
}

TEST_CASE("request: of several CONTENT_LENGTH the last one wins, an empty one too", "[gateway]") {
  CHECK(seen("CONTENT_LENGTH", {{"CONTENT_LENGTH", "5"}, {"CONTENT_LENGTH", "6"}}) == "6");
  CHECK(seen("CONTENT_LENGTH", {{"CONTENT_LENGTH", "-1"}, {"CONTENT_LENGTH", "5"}}) == "5");
  for (const char* absent : {"", "-1"}) {
    CgiRequest request;
    CHECK(!fill(
        request,
        {{"CONTENT_LENGTH", "5"}, {"CONTENT_LENGTH", absent}, {"A", "b"}, {"SCRIPT_NAME", "/"}}));
    CHECK(!request.content_length());
    CHECK(!has(written(request), "CONTENT_LENGTH"));
  }
}

TEST_CASE("request: headers that are no lists are not joined, the last one wins", "[gateway]") {
  for (const char* name :
       {"HTTP_HOST", "HTTP_AUTHORIZATION", "HTTP_USER_AGENT", "HTTP_REFERER", "HTTP_RANGE",
        "HTTP_ORIGIN", "HTTP_IF_NONE_MATCH", "HTTP_IF", "HTTP_IF_MODIFIED_SINCE", "HTTP_DEPTH",
        "HTTP_X_REQUESTED_WITH", "HTTP_ACCEPT_DATETIME"}) {
    CHECK(seen(name, {{name, "a"}, {name, "b"}}) == "b");
    CHECK(seen(name, {{name, "a"}, {name, ""}}) == "");
  }
  for (const char* name : {"HTTP_ACCEPT", "HTTP_X_FORWARDED_FOR", "HTTP_VIA", "HTTP_IFFY",
                           "HTTP_CACHE_CONTROL", "HTTP_FORWARDED", "HTTP_X_HOST"}) {
    CHECK(seen(name, {{name, "a"}, {name, "b"}}) == "a, b");
  }
}

TEST_CASE("request: the length of a buffered body is set later", "[gateway]") {
  CgiRequest request;
  CHECK(!fill(request, {{"CONTENT_LENGTH", ""}, {"SCRIPT_NAME", "/"}}));
  request.set_content_length(18446744073709551615U);
  CHECK(request.get("CONTENT_LENGTH") == "18446744073709551615");
  request.set_content_length(7);
  CHECK(request.content_length() == 7U);
  CHECK(request.get("CONTENT_LENGTH") == "7");
}

TEST_CASE("W4: what the application must not see is dropped", "[gateway]") {
  for (const char* name : {"HTTP_CONTENT_LENGTH", "HTTP_CONTENT_TYPE", "HTTP_TRANSFER_ENCODING",
                           "HTTP_PROXY", "wsgi.input", "pycgid.pool", ""}) {
    CgiRequest request;
    CHECK(!fill(request, {{name, "evil"}, {"SCRIPT_NAME", "/"}}));
    CHECK(!has(written(request), name));
    CHECK(request.get(name).empty());
  }
  CHECK(seen("wsgi.url_scheme", {{"wsgi.url_scheme", "https"}}) == "http");
}

TEST_CASE("S5: repeated headers are joined in order", "[gateway]") {
  const Variables sent{{"HTTP_X_A", "1"}, {"HTTP_COOKIE", "a=1"}, {"HTTP_X_B", "x"},
                       {"HTTP_X_A", "2"}, {"HTTP_COOKIE", "b=2"}, {"HTTP_X_A", ""},
                       {"HTTP_X_A", "3"}};
  CHECK(seen("HTTP_X_A", sent) == "1, 2, 3");
  CHECK(seen("HTTP_X_B", sent) == "x");
  CHECK(seen("HTTP_COOKIE", sent) == "a=1; b=2");
}

TEST_CASE("request: of other repeated variables the last one wins", "[gateway]") {
  CHECK(seen("PATH_INFO", {{"SCRIPT_NAME", "/a"}, {"PATH_INFO", "/b/c"}, {"SCRIPT_NAME", ""}}) ==
        "/b/c");
  CHECK(seen("X_CUSTOM", {{"X_CUSTOM", "1"}, {"X_CUSTOM", "2"}}) == "2");
}

TEST_CASE("request: no variable is written twice, or without a name", "[gateway]") {
  CgiRequest request;
  Variables sent{{"SCRIPT_NAME", "/"}, {"HTTP_A", "1"}, {"HTTP_A", "2"}, {"A", "1"}, {"A", "1"}};
  CHECK(!fill(request, sent));
  std::vector<std::string> names{""};
  for (const auto& variable : written(request)) {
    CHECK(std::find(names.begin(), names.end(), variable.first) == names.end());
    names.push_back(variable.first);
  }
}

TEST_CASE("request: names of any length are told apart", "[gateway]") {
  Variables sent;
  for (int i = 0; i < 300; ++i) {
    sent.emplace_back("HTTP_X_" + std::to_string(i % 150) + "_SAME_END", std::to_string(i));
  }
  for (const char* name : {"A", "B", "AB", "BA", "ABCDEFG", "ABCDEFH"}) {
    sent.emplace_back(name, name);
  }
  for (int i = 0; i < 150; ++i) {
    CHECK(seen("HTTP_X_" + std::to_string(i) + "_SAME_END", sent) ==
          std::to_string(i) + ", " + std::to_string(i + 150));
  }
  CHECK(seen("AB", sent) == "AB");
}

TEST_CASE("request: more than 1000 variables are refused", "[gateway]") {
  Variables sent;
  for (int i = 0; i < 998; ++i) sent.emplace_back("HTTP_A", "1");
  CHECK(refused(sent) == 0);
  sent.emplace_back("HTTP_A", "1");
  CHECK(refused(sent) == 431);
}

TEST_CASE("W2: SERVER_NAME is never empty", "[gateway]") {
  CHECK(seen("SERVER_NAME", {{"SERVER_NAME", "n"}, {"HTTP_HOST", "h:1"}}) == "n");
  CHECK(seen("SERVER_NAME", {{"SERVER_NAME", ""}, {"HTTP_HOST", "h:81"}}) == "h");
  CHECK(seen("SERVER_NAME", {{"HTTP_HOST", "[::1]:81"}}) == "[::1]");
  CHECK(seen("SERVER_NAME", {{"HTTP_HOST", "[::1]"}}) == "[::1]");
  CHECK(seen("SERVER_NAME", {{"HTTP_HOST", ":81"}, {"SERVER_ADDR", "127.0.0.1"}}) == "127.0.0.1");
  CHECK(seen("SERVER_NAME", {{"SERVER_ADDR", "::1"}}) == "[::1]");
  CHECK(seen("SERVER_NAME", {}) == "localhost");
}

TEST_CASE("W2: SERVER_PORT is never empty", "[gateway]") {
  CHECK(seen("SERVER_PORT", {{"SERVER_PORT", "8080"}, {"HTTP_HOST", "h:1"}}) == "8080");
  CHECK(seen("SERVER_PORT", {{"SERVER_PORT", ""}, {"HTTP_HOST", "h:81"}}) == "81");
  CHECK(seen("SERVER_PORT", {{"HTTP_HOST", "[::1]:82"}, {"HTTPS", "on"}}) == "82");
  CHECK(seen("SERVER_PORT", {{"HTTP_HOST", "[::1]"}}) == "80");
  CHECK(seen("SERVER_PORT", {{"HTTP_HOST", "h:x"}, {"HTTPS", "1"}}) == "443");
  CHECK(seen("SERVER_PORT", {}) == "80");
}

TEST_CASE("W2: SERVER_PROTOCOL and QUERY_STRING are there", "[gateway]") {
  CHECK(seen("SERVER_PROTOCOL", {{"SERVER_PROTOCOL", "HTTP/2.0"}}) == "HTTP/2.0");
  CHECK(seen("SERVER_PROTOCOL", {{"SERVER_PROTOCOL", ""}}) == "HTTP/1.0");
  CHECK(seen("QUERY_STRING", {}) == "a=1");
  CHECK(seen("QUERY_STRING", {{"QUERY_STRING", ""}}) == "");
  CgiRequest request;
  CHECK(!fill(request, {{"REQUEST_URI", "/"}}));
  CHECK(has(written(request), "QUERY_STRING"));
}

TEST_CASE("request: SERVER_SOFTWARE and GATEWAY_INTERFACE are there, by SCGI too", "[gateway]") {
  CHECK(seen("SERVER_SOFTWARE", {{"SERVER_SOFTWARE", "nginx/1.22.1"}}) == "nginx/1.22.1");
  CHECK(seen("SERVER_SOFTWARE", {}).starts_with("pycgid/"));
  CHECK(seen("GATEWAY_INTERFACE", {}) == "CGI/1.1");
  CHECK(seen("GATEWAY_INTERFACE", {{"GATEWAY_INTERFACE", "CGI/1.2"}}) == "CGI/1.2");
}

TEST_CASE("request: wsgi.url_scheme from HTTPS, else REQUEST_SCHEME, else http", "[gateway]") {
  CHECK(seen("wsgi.url_scheme", {{"HTTPS", "on"}}) == "https");
  CHECK(seen("wsgi.url_scheme", {{"HTTPS", "1"}, {"REQUEST_SCHEME", "http"}}) == "https");
  CHECK(seen("wsgi.url_scheme", {{"HTTPS", "off"}}) == "http");
  CHECK(seen("wsgi.url_scheme", {{"HTTPS", ""}, {"REQUEST_SCHEME", "https"}}) == "https");
  CHECK(seen("wsgi.url_scheme", {{"REQUEST_SCHEME", "ftp"}}) == "http");
  CHECK(seen("wsgi.url_scheme", {}) == "http");
}

TEST_CASE("request: clear() forgets everything", "[gateway]") {
  CgiRequest request;
  CHECK(!fill(request, {{"HTTP_A", "1"}, {"CONTENT_LENGTH", "5"}, {"SCRIPT_NAME", "/a"}}));
  request.clear();
  CHECK(request.bytes() == 0);
  CHECK(!request.content_length());
  CHECK(request.get("HTTP_A").empty());
  CHECK(!fill(request, {{"SCRIPT_NAME", "/b"}, {"HTTP_A", "2"}}));
  CHECK(request.get("HTTP_A") == "2");
  CHECK(request.get("PATH_INFO") == "/b");
}

TEST_CASE("request: a warm one allocates nothing, a huge one gives memory back", "[gateway]") {
  CgiRequest request;
  const auto allocations_for = [&request](const Variables& variables) {
    request.clear();
    const std::size_t before = allocations();
    const bool accepted = !fill(request, variables, {"/app", false});
    const std::size_t made = allocations() - before;
    CHECK(accepted);
    return made;
  };
  const Variables usual{{"REQUEST_URI", "/app/%41?x"}, {"HTTP_A", "1"}, {"HTTP_A", "2"}};
  CHECK(allocations_for(usual) > 0);
  CHECK(allocations_for(usual) == 0);
  CHECK(allocations_for({{"SCRIPT_NAME", "/"}, {"HTTP_A", std::string(70'000, 'x')}}) > 0);
  CHECK(allocations_for(usual) > 0);
}

TEST_CASE("request: write() says when they don't fit", "[gateway]") {
  CgiRequest request;
  CHECK(!fill(request, {{"SCRIPT_NAME", "/"}}));
  std::vector<char> area(100);
  pyhost::ParamsWriter writer(area);
  CHECK(!request.write(writer));
}
