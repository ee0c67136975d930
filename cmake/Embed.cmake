# tessera_embed(TARGET HEADER h NAMESPACE n TYPE t FUNCTION f ROOT folder FILES...): texts of ours, carried in the program:
# n::f(), as the header declares it, has each file's path below ROOT, and its text.
function(tessera_embed target)
  cmake_parse_arguments(embed "" "HEADER;NAMESPACE;TYPE;FUNCTION;ROOT" "FILES" ${ARGN})
  set(output ${CMAKE_BINARY_DIR}/generated/${target}_${embed_FUNCTION}.cpp)
  add_custom_command(
    OUTPUT ${output}
    COMMAND ${CMAKE_COMMAND} -D OUTPUT=${output} -D HEADER=${embed_HEADER} -D NAMESPACE=${embed_NAMESPACE}
            -D TYPE=${embed_TYPE} -D FUNCTION=${embed_FUNCTION} -D ROOT=${embed_ROOT} -D "FILES=${embed_FILES}"
            -P ${CMAKE_SOURCE_DIR}/cmake/embed_files.cmake
    WORKING_DIRECTORY ${embed_ROOT}
    DEPENDS ${embed_FILES} ${CMAKE_SOURCE_DIR}/cmake/embed_files.cmake
    VERBATIM)
  target_sources(${target} PRIVATE ${output})
endfunction()
