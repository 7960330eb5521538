// A pool's TLS in the master, see pool_tls.h.
#include "daemon/master/pool_tls.h"

#include "daemon/log.h"
#include "daemon/read_file.h"
#include "daemon/startup_error.h"
#include "daemon/text.h"
#include "daemon/tls/tls_context.h"

#include <string>
#include <string_view>
#include <utility>

namespace pycgid {
namespace {

// `(option "tls-key", pycgid.conf:7)`
std::string place_of(std::string_view option, const NamedFile& file) {
  const std::string where = file.where.empty() ? "" : ", " + file.where;
  return concat("(option ", in_quotes(option), where, ")");
}

[[noreturn]] void cannot_read(std::string_view option, const NamedFile& file,
                              std::string_view why) {
  fail_start(ExitStatus::configuration,
             concat("cannot read ", in_quotes(file.path), ": ", why, " ", place_of(option, file)));
}

std::string read_pem(std::string_view option, const NamedFile& file) {
  FileText pem = read_file(file.path);
  if (!pem.is_read()) cannot_read(option, file, pem.problem);
  return std::move(pem.text);
}

struct OptionAndFile {
  std::string_view option;
  const NamedFile& file;
};

OptionAndFile file_of(TlsFault::File which, const PoolSettings& settings) {
  switch (which) {
    case TlsFault::File::key:
      return {"tls-key", settings.tls_key};
    case TlsFault::File::client_ca:
      return {"tls-client-ca", settings.tls_client_ca};
    case TlsFault::File::certificate:
      break;
  }
  return {"tls-certificate", settings.tls_certificate};
}

TlsPem read_files(const PoolSettings& settings) {
  TlsPem pem;
  pem.certificate = read_pem("tls-certificate", settings.tls_certificate);
  pem.key = read_pem("tls-key", settings.tls_key);
  if (settings.tls_client_ca.path.empty()) return pem;
  pem.client_ca = read_pem("tls-client-ca", settings.tls_client_ca);
  if (pem.client_ca.empty()) cannot_read("tls-client-ca", settings.tls_client_ca, "it is empty");
  return pem;
}

void check(const TlsPem& pem, const PoolSettings& settings) {
  TlsFault fault;
  const TlsContext context = make_tls_context(pem, fault);
  if (!context) {
    const auto [option, file] = file_of(fault.file, settings);
    std::string text =
        concat("cannot use ", in_quotes(file.path), ": ", fault.why, " ", place_of(option, file));
    if (!fault.advice.empty()) text += "; " + fault.advice;
    fail_start(ExitStatus::configuration, std::move(text));
  }
  const std::string invalid = invalid_now(*context);
  if (invalid.empty()) return;
  log_warning(concat("certificate ", in_quotes(settings.tls_certificate.path), ": ", invalid, " ",
                     place_of("tls-certificate", settings.tls_certificate),
                     "; front servers that check it will not connect, renew it"));
}

}  // namespace

std::optional<TlsPem> load_tls(const PoolSettings& settings) {
  if (settings.tls_certificate.path.empty()) return std::nullopt;
  TlsPem pem = read_files(settings);
  check(pem, settings);
  return pem;
}

TlsPem reload_tls(const PoolSettings& settings, const TlsPem& before) {
  try {
    return load_tls(settings).value_or(before);
  } catch (const StartupError& error) {
    log_error(concat("pool ", in_quotes(settings.name), ": reload failed: ", error.text,
                     "; keeping the old certificate"));
    return before;
  }
}

bool has_same_tls(const PoolSettings& one, const PoolSettings& other) {
  return one.tls_certificate == other.tls_certificate && one.tls_key == other.tls_key &&
         one.tls_client_ca == other.tls_client_ca;
}

}  // namespace pycgid
