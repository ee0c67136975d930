# Defines `wasmtime` where TESSERA_WASM is on and cmake/wasmtime has built one; cmake/prepare sees to that.
option(TESSERA_WASM "Run WebAssembly modules" ON)
if(TESSERA_WASM)
  execute_process(COMMAND ${CMAKE_SOURCE_DIR}/cmake/wasmtime --cached OUTPUT_VARIABLE folder
                  OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET RESULT_VARIABLE missing)
  if(missing)
    message(STATUS "No wasmtime: a build without WebAssembly")
  else()
    add_library(wasmtime STATIC IMPORTED)
    set_target_properties(wasmtime PROPERTIES IMPORTED_LOCATION ${folder}/lib/libwasmtime.a
                                              INTERFACE_INCLUDE_DIRECTORIES ${folder}/include)
    target_link_libraries(wasmtime INTERFACE Threads::Threads m dl)
  endif()
endif()
