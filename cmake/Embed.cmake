# tessera_embed(TARGET OUTPUT ROOT FILES...): texts of ours, carried in the program: OUTPUT defines
# tessera::cli::sdk_files() of "node/cli/sdk_files.hpp", each file by its path below ROOT.
function(tessera_embed target output root)
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -D OUTPUT=${output} -D ROOT=${root} -D "FILES=${ARGN}" -P ${CMAKE_SOURCE_DIR}/cmake/embed_files.cmake
    WORKING_DIRECTORY ${root}
    DEPENDS ${ARGN} ${CMAKE_SOURCE_DIR}/cmake/embed_files.cmake
    VERBATIM)
  target_sources(${target} PRIVATE ${output})
endfunction()
