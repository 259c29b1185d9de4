#include "common/http/router.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <stdexcept>

namespace dunlin::http {
namespace {

Handler says(const std::string& text) {
  return [text](const Request& request) {
    std::string body = text;
    for (const auto& [name, value] : request.path_parameters) body += " " + name + "=" + value;
    return Response{.content_type = "text/plain", .body = body};
  };
}

Response ask(const Router& router, std::string method, std::string path) {
  Request request;
  request.method = std::move(method);
  request.path = std::move(path);
  return router.dispatch(request);
}

Router make_router() {
  Router router;
  router.add("GET", "/", says("root"));
  router.add("GET", "/v1/nodes", says("nodes"));
  router.add("GET", "/v1/nodes/{node}", says("node"));
  router.add("DELETE", "/v1/nodes/{node}", says("gone"));
  router.add("GET", "/v1/tables/{table}/rows/{key}", says("row"));
  router.add("GET", "/static/*", says("file"));
  return router;
}

TEST(Router, FindsExactPathsParametersAndRests) {
  const Router router = make_router();
  EXPECT_EQ(ask(router, "GET", "/").body, "root");
  EXPECT_EQ(ask(router, "GET", "/v1/nodes").body, "nodes");
  EXPECT_EQ(ask(router, "GET", "/v1/nodes/ab").body, "node node=ab");
  EXPECT_EQ(ask(router, "DELETE", "/v1/nodes/ab").body, "gone node=ab");
  EXPECT_EQ(ask(router, "GET", "/v1/tables/t/rows/k 1").body, "row key=k 1 table=t");
  EXPECT_EQ(ask(router, "GET", "/static/js/app.js").body, "file *=js/app.js");
}

TEST(Router, UnknownPathsAre404) {
  const Router router = make_router();
  for (const char* path :
       {"/v1", "/v1/nodes/", "/v1/nodes/a/b", "//", "", "/v1/nodesx", "/static"}) {
    const Response response = ask(router, "GET", path);
    if (std::string_view(path).empty()) {
      EXPECT_EQ(response.body, "root");
      continue;
    }
    EXPECT_EQ(response.status, 404) << path;
    EXPECT_EQ(response.content_type, "application/problem+json");
    EXPECT_EQ(nlohmann::json::parse(response.body).at("code"), "not_found");
  }
}

TEST(Router, WrongMethodsAre405AndSayWhatIsAllowed) {
  const Response response = ask(make_router(), "POST", "/v1/nodes/ab");
  EXPECT_EQ(response.status, 405);
  ASSERT_EQ(response.headers.size(), 1U);
  EXPECT_EQ(response.headers[0].first, "Allow");
  EXPECT_EQ(response.headers[0].second, "DELETE, GET, HEAD");
  EXPECT_EQ(nlohmann::json::parse(response.body).at("code"), "method_not_allowed");
}

TEST(Router, AnExceptionIs500AndStaysInside) {
  Router router;
  router.add("GET", "/", [](const Request&) -> Response { throw std::runtime_error("secret"); });
  const Response response = ask(router, "GET", "/");
  EXPECT_EQ(response.status, 500);
  EXPECT_EQ(nlohmann::json::parse(response.body).at("code"), "internal");
  EXPECT_EQ(response.body.find("secret"), std::string::npos);
}

TEST(Problem, IsAnRfc9457Document) {
  const Response response = problem(400, "bad_sql", "Bad Request", "near \"FORM\" \xff");
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.content_type, "application/problem+json");
  EXPECT_EQ(response.body,
            R"({"type":"about:blank","title":"Bad Request","status":400,"code":"bad_sql",)"
            R"("detail":"near \"FORM\" )"
            "\xef\xbf\xbd\"}");
}

TEST(Problem, ErrorsOfOursHaveAStatus) {
  EXPECT_EQ(problem(Error{Errc::not_found, "x"}).status, 404);
  EXPECT_EQ(problem(Error{Errc::malformed, "x"}).status, 400);
  EXPECT_EQ(problem(Error{Errc::storage_full, "x"}).status, 507);
  EXPECT_EQ(problem(Error{Errc::backpressure, "x"}).status, 503);
  const auto body = nlohmann::json::parse(problem(Error{Errc::io, "disk"}).body);
  EXPECT_EQ(body.at("status"), 500);
  EXPECT_EQ(body.at("code"), "io");
  EXPECT_EQ(body.at("detail"), "disk");
}

}  // namespace
}  // namespace dunlin::http
