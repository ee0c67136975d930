# What `cmake --install` lays down, and the Debian package of it: the program, and what it says of itself.
include(GNUInstallDirs)
find_program(GZIP gzip REQUIRED)

# --- Made by the program from its own command line
set(made ${CMAKE_BINARY_DIR}/made)
set(node_program $<TARGET_FILE:node>)
file(MAKE_DIRECTORY ${made})
add_custom_command(
  OUTPUT ${made}/tessera.1.gz ${made}/tessera.bash ${made}/_tessera ${made}/tessera.fish
  COMMAND ${node_program} man > ${made}/tessera.1
  COMMAND ${GZIP} -9nf ${made}/tessera.1
  COMMAND ${node_program} completions bash > ${made}/tessera.bash
  COMMAND ${node_program} completions zsh > ${made}/_tessera
  COMMAND ${node_program} completions fish > ${made}/tessera.fish
  DEPENDS node
  COMMENT "Manual and completions"
  VERBATIM)
add_custom_target(manual ALL DEPENDS ${made}/tessera.1.gz)

install(TARGETS node RUNTIME)
install(FILES ${made}/tessera.1.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man1)
install(FILES ${made}/tessera.bash DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions RENAME tessera)
install(FILES ${made}/_tessera DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/vendor-completions)
install(FILES ${made}/tessera.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)

# Only here is it known where the program will be: --prefix may differ from what was configured.
install(CODE "
  set(folder \"\$ENV{DESTDIR}\${CMAKE_INSTALL_PREFIX}/lib/systemd/user\")
  file(MAKE_DIRECTORY \"\${folder}\")
  execute_process(COMMAND \"${CMAKE_BINARY_DIR}/tessera\" service unit
                          \"\${CMAKE_INSTALL_PREFIX}/${CMAKE_INSTALL_BINDIR}/tessera\"
                  OUTPUT_FILE \"\${folder}/tessera.service\" COMMAND_ERROR_IS_FATAL ANY)
  message(STATUS \"Installing: \${folder}/tessera.service\")")

# --- What else comes along
set(doc ${CMAKE_INSTALL_DATADIR}/doc/tessera)
set(debian ${CMAKE_SOURCE_DIR}/cmake/debian)
install(FILES README.md node/http/API.md net/WIRE.md DESTINATION ${doc})
install(FILES ${debian}/copyright DESTINATION ${doc})
install(DIRECTORY examples/sdk DESTINATION ${CMAKE_INSTALL_DATADIR}/tessera
        FILES_MATCHING PATTERN "*" PATTERN "*.wasm" EXCLUDE PATTERN "*.rlib" EXCLUDE PATTERN "target" EXCLUDE
        PATTERN "node_modules" EXCLUDE)
install(DIRECTORY examples/docker examples/kubernetes DESTINATION ${doc}/examples)

# Headers that are compiled in ask that their licences go along: as Debian's packages have them on this machine.
foreach(package libasio-dev libcli11-dev libcpp-httplib-dev librestinio-dev nlohmann-json3-dev libspdlog-dev)
  if(EXISTS /usr/share/doc/${package}/copyright)
    install(FILES /usr/share/doc/${package}/copyright DESTINATION ${doc}/licenses RENAME ${package})
  endif()
endforeach()

# --- A Debian package, built with: cpack -G DEB
set(TESSERA_MAINTAINER "The Tessera authors <tessera@example.org>" CACHE STRING "Who answers for the package")
execute_process(COMMAND ${GZIP} -9nc ${debian}/changelog OUTPUT_FILE ${made}/changelog.gz COMMAND_ERROR_IS_FATAL ANY)
install(FILES ${made}/changelog.gz DESTINATION ${doc} COMPONENT debian EXCLUDE_FROM_ALL)

set(CPACK_GENERATOR DEB)
set(CPACK_COMPONENTS_ALL Unspecified debian)
set(CPACK_COMPONENTS_GROUPING ALL_COMPONENTS_IN_ONE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_PACKAGE_NAME tessera)
set(CPACK_PACKAGE_VENDOR "The Tessera authors")
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_MAINTAINER "${TESSERA_MAINTAINER}")
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "systemd")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "peer-to-peer compute mesh without a server")
set(CPACK_PACKAGE_DESCRIPTION
    "Tessera joins computers into a mesh that shares out work. One program runs the
node, submits jobs and fetches results. Jobs are cut into microtasks, which
nodes steal from one another; results are merged up a tree that belongs to the
job, so that they are the same bytes whoever computed what.
.
Tasks are kernels that ship with it, or WebAssembly modules in a sandbox.")
include(CPack)
