# What cmake --install does beyond copying: the texts that name paths get those of this installation,
# and a file of the administrator's stays as it is. Runs at install time, because --prefix is given
# there; DESTDIR counts as everywhere. Set by the caller: PYCGID_SOURCE, PYCGID_BINARY,
# PYCGID_SBINDIR, PYCGID_LIBEXECDIR, PYCGID_MANDIR, PYCGID_DOCDIR, PYCGID_ETC ("" : by prefix).

# Below the prefix, unless it is a path already.
function(pycgid_full directory result)
  if(NOT IS_ABSOLUTE "${directory}")
    string(REGEX REPLACE "/$" "" prefix "${CMAKE_INSTALL_PREFIX}")
    set(directory "${prefix}/${directory}")
  endif()
  set(${result} "${directory}" PARENT_SCOPE)
endfunction()

pycgid_full("${PYCGID_SBINDIR}" sbin)
pycgid_full("${PYCGID_LIBEXECDIR}" libexec)
pycgid_full("${PYCGID_MANDIR}" man)
pycgid_full("${PYCGID_DOCDIR}" doc)
pycgid_full("lib/systemd/system" units)
# Of the system where the system looks for programs, and with the prefix elsewhere.
if(PYCGID_ETC)
  set(etc "${PYCGID_ETC}")
elseif(CMAKE_INSTALL_PREFIX MATCHES "^(/usr(/local)?)?/?$")
  set(etc "/etc")
else()
  pycgid_full("etc" etc)
endif()

set(program_rights OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE
                   WORLD_READ WORLD_EXECUTE)
set(file_rights OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ)

# Puts a text of the source into a directory, under a name, with the paths of this installation.
function(pycgid_install source directory name)
  file(READ "${PYCGID_SOURCE}/${source}" text)
  string(REPLACE "/usr/sbin/pycgid" "${sbin}/pycgid" text "${text}")
  string(REPLACE "/usr/libexec/pycgid" "${libexec}" text "${text}")
  # The manual tells of the program's own default, which is the same everywhere.
  if(NOT etc STREQUAL "/etc" AND NOT source MATCHES "^man/")
    string(REPLACE "/etc/pycgid/" "${etc}/pycgid/" text "${text}")
  endif()
  set(filled "${PYCGID_BINARY}/install/${name}")
  file(WRITE "${filled}" "${text}")
  set(rights ${file_rights})
  if(text MATCHES "^#!")
    set(rights ${program_rights})
  endif()
  file(INSTALL "${filled}" DESTINATION "${directory}" PERMISSIONS ${rights})
endfunction()

# The same for what an administrator changes: beside a file that differs, the new one is NAME.new.
function(pycgid_install_configuration source directory name)
  set(there "$ENV{DESTDIR}${directory}/${name}")
  if(NOT EXISTS "${there}")
    pycgid_install("${source}" "${directory}" "${name}")
    return()
  endif()
  pycgid_install("${source}" "${directory}" "${name}.new")
  execute_process(COMMAND "${CMAKE_COMMAND}" -E compare_files "${there}" "${there}.new"
                  RESULT_VARIABLE differs OUTPUT_QUIET ERROR_QUIET)
  if(differs)
    message(STATUS "Kept: ${there}; what is new is in ${name}.new")
  else()
    file(REMOVE "${there}.new")
  endif()
endfunction()

pycgid_install(contrib/systemd/pycgid.service "${units}" pycgid.service)
if(EXISTS "${PYCGID_SOURCE}/contrib/sysusers.d/pycgid.conf")
  pycgid_full("lib/sysusers.d" sysusers)
  pycgid_install(contrib/sysusers.d/pycgid.conf "${sysusers}" pycgid.conf)
endif()
pycgid_install_configuration(contrib/pycgid.conf "${etc}/pycgid" pycgid.conf)
file(MAKE_DIRECTORY "$ENV{DESTDIR}${etc}/pycgid/pools.d")
pycgid_install_configuration(contrib/logrotate/pycgid "${etc}/logrotate.d" pycgid)

foreach(page pycgid.8 pycgidctl.8)
  pycgid_install(man/${page} "${man}/man8" ${page})
endforeach()
pycgid_install(man/pycgid.conf.5 "${man}/man5" pycgid.conf.5)

# One of these takes the unit's place where systemd does not run.
file(GLOB_RECURSE examples RELATIVE "${PYCGID_SOURCE}/contrib"
     "${PYCGID_SOURCE}/contrib/init.d/*" "${PYCGID_SOURCE}/contrib/openrc/*"
     "${PYCGID_SOURCE}/contrib/runit/*" "${PYCGID_SOURCE}/contrib/systemd/*"
     "${PYCGID_SOURCE}/contrib/examples/*.py" "${PYCGID_SOURCE}/contrib/*.conf"
     "${PYCGID_SOURCE}/contrib/*.cfg" "${PYCGID_SOURCE}/contrib/Caddyfile"
     "${PYCGID_SOURCE}/contrib/migrating.md")
foreach(example IN LISTS examples)
  if(example MATCHES "__pycache__|\\.(service|pyc)$|sysusers")
    continue()
  endif()
  get_filename_component(directory "${example}" DIRECTORY)
  get_filename_component(name "${example}" NAME)
  pycgid_install("contrib/${example}" "${doc}/examples/${directory}" "${name}")
endforeach()
foreach(text README.md NEWS LICENSE)
  pycgid_install(${text} "${doc}" ${text})
endforeach()
