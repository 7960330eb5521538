// What ps and top show for this process. No Python.
#pragma once

#include <string_view>

namespace pyhost {

// Replaces the command line that ps shows, as far as the title fits into the memory of the old one,
// and makes "pycgid" the name of the calling thread, which threads that it starts inherit. Best
// effort: where the kernel does not allow it, the old title stays.
void set_process_title(std::string_view title);

}  // namespace pyhost
