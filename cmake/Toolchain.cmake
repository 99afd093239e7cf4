# Language standard, warnings, sanitizers, ccache and mold: everything that is about the compiler and not about a target.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # The sloppiness that ccache needs to cache objects built with a precompiled header; the other two let a second checkout
  # of the same sources, wherever it lies, find what the first one compiled.
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CMAKE_COMMAND}" -E env
      CCACHE_SLOPPINESS=pch_defines,time_macros,include_file_mtime,include_file_ctime
      "CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}" CCACHE_NOHASHDIR=1 "${CCACHE_PROGRAM}")
endif()

find_program(MOLD_PROGRAM mold)
if(MOLD_PROGRAM)
  add_link_options(-fuse-ld=mold)
endif()

set(STEADYIQA_SANITIZE "" CACHE STRING "Sanitizers for -fsanitize=, e.g. address,undefined")

# What our own targets compile with; libraries' headers come in as SYSTEM.
add_library(steadyiqa_flags INTERFACE)
target_compile_options(steadyiqa_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wno-sign-conversion -Werror)
if(STEADYIQA_SANITIZE)
  add_compile_options(-fsanitize=${STEADYIQA_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${STEADYIQA_SANITIZE})
endif()
