# What every target is compiled with.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_CXX_COMPILER_LAUNCHER) # What one clone compiled, another need not.
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}
                                  CCACHE_NOHASHDIR=1 ${CCACHE})
endif()

set(TESSERA_SANITIZE "" CACHE STRING "Sanitizers, as -fsanitize= takes them")
add_compile_options(-Wall -Wextra -Werror -fno-omit-frame-pointer)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # GCC 12 sees ghosts in std::variant and std::string once it inlines them (GCC bugs 105329, 105562).
  add_compile_options(-Wno-maybe-uninitialized -Wno-restrict -Wno-array-bounds -Wno-stringop-overflow)
endif()
if(TESSERA_SANITIZE)
  add_compile_options(-fsanitize=${TESSERA_SANITIZE} -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${TESSERA_SANITIZE})
endif()

option(TESSERA_FUZZERS "Build libFuzzer's fuzzers (clang)" OFF)
if(TESSERA_FUZZERS) # Each fuzzer is linked with libFuzzer; the rest only counts for it.
  add_compile_options(-fsanitize=fuzzer-no-link)
endif()

# Asio without Boost, and as RESTinio wants it: one definition in every unit. Clang 14 hides its coroutines from Asio.
add_compile_definitions(ASIO_STANDALONE ASIO_DISABLE_STD_STRING_VIEW TESSERA_VERSION="${PROJECT_VERSION}")
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  add_compile_definitions(ASIO_HAS_CO_AWAIT=1)
endif()

include_directories(${CMAKE_SOURCE_DIR})
