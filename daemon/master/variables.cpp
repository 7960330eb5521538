#include "daemon/master/variables.h"

namespace pycgid {

std::string_view variable_name(std::string_view variable) {
  return variable.substr(0, variable.find('='));
}

void set_variables(std::vector<std::string>& environment,
                   const std::vector<std::string>& variables) {
  for (const std::string& variable : variables) {
    std::erase_if(environment, [&](const std::string& old) {
      return variable_name(old) == variable_name(variable);
    });
    environment.push_back(variable);
  }
}

}  // namespace pycgid
