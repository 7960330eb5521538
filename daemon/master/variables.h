// Environment variables as execve(2) has them, "NAME=VALUE". Pure; any thread.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace pycgid {

// All of it when it has no "=".
std::string_view variable_name(std::string_view variable);

// Adds the variables, in place of those of the same names.
void set_variables(std::vector<std::string>& environment,
                   const std::vector<std::string>& variables);

}  // namespace pycgid
