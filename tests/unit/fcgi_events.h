// Runs fcgi::Decoder over bytes and returns its events as lines: "param 1 A=b".
#pragma once

#include "fcgi/decoder.h"
#include "tests/unit/event_trace.h"

#include <cstdint>
#include <string>
#include <vector>

namespace codec_test {

inline std::string name_of(fcgi::Role role) {
  switch (role) {
    case fcgi::Role::responder:
      return "responder";
    case fcgi::Role::authorizer:
      return "authorizer";
    case fcgi::Role::filter:
      return "filter";
  }
  return "no role";
}

inline std::string name_of(fcgi::EndStatus status) {
  switch (status) {
    case fcgi::EndStatus::request_complete:
      return "request_complete";
    case fcgi::EndStatus::cant_mpx_conn:
      return "cant_mpx_conn";
    case fcgi::EndStatus::overloaded:
      return "overloaded";
    case fcgi::EndStatus::unknown_role:
      return "unknown_role";
  }
  return "no status";
}

inline void add_event(EventTrace& trace, const fcgi::Event& event) {
  using fcgi::EventType;
  const std::string id = " " + std::to_string(event.request_id);
  switch (event.type) {
    case EventType::need_more:
      return;
    case EventType::begin:
      return trace.add("begin" + id + " " + name_of(event.role) +
                       (event.keep_connection ? " keep" : ""));
    case EventType::param:
      return trace.add("param" + id + " " + std::string(event.name) + "=" +
                       std::string(event.value));
    case EventType::params_end:
      return trace.add("params_end" + id);
    case EventType::body:
      return trace.add_slice("body" + id, event.bytes);
    case EventType::body_end:
      return trace.add("body_end" + id);
    case EventType::data:
      return trace.add_slice("data" + id, event.bytes);
    case EventType::data_end:
      return trace.add("data_end" + id);
    case EventType::abort:
      return trace.add("abort" + id);
    case EventType::refuse:
      return trace.add("refuse" + id + " " + name_of(event.end_status));
    case EventType::bad_request:
      return trace.add("bad_request" + id + " " + std::to_string(event.http_status) + " " +
                       std::string(event.reason));
    case EventType::get_values:
      return trace.add("get_values " + std::string(event.name));
    case EventType::get_values_end:
      return trace.add("get_values_end");
    case EventType::unknown_type:
      return trace.add("unknown_type " + std::to_string(event.record_type));
    case EventType::error:
      return trace.add("error: " + std::string(event.reason));
  }
}

}  // namespace codec_test

namespace fcgi_test {

using codec_test::Cut;
using codec_test::EventTrace;
using codec_test::feed;
using codec_test::Lines;

// Bytes from the web server; then, unless it is 0, the application ends the request `end`.
struct Step {
  std::string bytes;
  std::uint16_t end = 0;
};

inline Lines decode(const std::vector<Step>& steps, const fcgi::Limits& limits, Cut cut) {
  fcgi::Decoder decoder(limits);
  EventTrace trace;
  for (const Step& step : steps) {
    const auto piece = [&](std::string_view bytes) { return feed(decoder, bytes, trace); };
    if (!codec_test::for_each_piece(step.bytes, cut, piece)) break;
    if (step.end != 0) decoder.end(step.end);
  }
  return trace.lines();
}

// The events of these steps, which are the same however the bytes are cut.
inline Lines events(const std::vector<Step>& steps, const fcgi::Limits& limits = {}) {
  std::size_t size = 0;
  for (const Step& step : steps) size += step.bytes.size();
  return codec_test::same_for_any_cut(size, [&](Cut cut) { return decode(steps, limits, cut); });
}

inline Lines events(const std::string& bytes, const fcgi::Limits& limits = {}) {
  return events(std::vector<Step>{{bytes}}, limits);
}

}  // namespace fcgi_test
