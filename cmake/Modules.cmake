# steadyiqa_module(NAME [TORCH] [DEPENDS modules...] [LINK libraries...])
# One folder under src = one static library steadyiqa_NAME of every .cpp in it.
# TORCH modules share one precompiled header for libtorch.
function(steadyiqa_module NAME)
  cmake_parse_arguments(ARG "TORCH" "" "DEPENDS;LINK" ${ARGN})
  file(GLOB SOURCES CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${NAME}/*.cpp")
  add_library(steadyiqa_${NAME} STATIC ${SOURCES})
  target_include_directories(steadyiqa_${NAME} PUBLIC "${CMAKE_SOURCE_DIR}/src")
  target_link_libraries(steadyiqa_${NAME} PRIVATE steadyiqa_flags PUBLIC ${ARG_LINK})
  foreach(DEPENDENCY ${ARG_DEPENDS})
    target_link_libraries(steadyiqa_${NAME} PUBLIC steadyiqa_${DEPENDENCY})
  endforeach()
  if(ARG_TORCH)
    steadyiqa_use_torch(steadyiqa_${NAME})
  endif()
endfunction()

# Links libtorch and its precompiled header, which is compiled once for the whole project.
function(steadyiqa_use_torch TARGET)
  if(NOT TARGET steadyiqa_torch_pch)
    file(CONFIGURE OUTPUT "${CMAKE_BINARY_DIR}/torch_pch.cpp" CONTENT "// Carries the precompiled header.\n")
    add_library(steadyiqa_torch_pch OBJECT "${CMAKE_BINARY_DIR}/torch_pch.cpp")
    target_link_libraries(steadyiqa_torch_pch PRIVATE steadyiqa_flags steadyiqa_torch)
    target_precompile_headers(steadyiqa_torch_pch PRIVATE <torch/torch.h>)
  endif()
  target_link_libraries(${TARGET} PUBLIC steadyiqa_torch)
  target_precompile_headers(${TARGET} REUSE_FROM steadyiqa_torch_pch)
endfunction()

# steadyiqa_test(FOLDER [TORCH] [MODULES ...]): every *_test.cpp in tests/FOLDER as one program, run by ctest in four parts
# FOLDER.1 to FOLDER.4 that share its cases (GoogleTest's sharding): in a process of its own each case would spend most of
# its time loading libtorch. One case: build/release/bin/FOLDER_tests --gtest_filter=Suite.Case
# OpenBLAS picks its kernels by CPU, and golden values of finite differences hold the rounding of those they were made with:
# tests run on Haswell's (AVX2) wherever they run.
# Labels: "unit"; a test that needs the development data skips itself with a reason where it is absent.
function(steadyiqa_test FOLDER)
  cmake_parse_arguments(ARG "TORCH" "" "MODULES" ${ARGN})
  file(GLOB SOURCES CONFIGURE_DEPENDS "${CMAKE_CURRENT_SOURCE_DIR}/${FOLDER}/*_test.cpp")
  if(NOT SOURCES)
    return()
  endif()
  add_executable(${FOLDER}_tests ${SOURCES})
  target_include_directories(${FOLDER}_tests PRIVATE "${CMAKE_SOURCE_DIR}/tests")
  foreach(MODULE ${ARG_MODULES})
    target_link_libraries(${FOLDER}_tests PRIVATE steadyiqa_${MODULE})
  endforeach()
  target_link_libraries(${FOLDER}_tests PRIVATE test_places steadyiqa_flags GTest::gtest GTest::gmock GTest::gtest_main)
  if(ARG_TORCH)
    steadyiqa_use_torch(${FOLDER}_tests)
  endif()
  set(PARTS 4)
  foreach(PART RANGE 1 ${PARTS})
    math(EXPR INDEX "${PART} - 1")
    add_test(NAME ${FOLDER}.${PART} COMMAND ${FOLDER}_tests --gtest_brief=1)
    set_tests_properties(${FOLDER}.${PART} PROPERTIES LABELS unit TIMEOUT 1200 ENVIRONMENT
      "OPENBLAS_CORETYPE=Haswell;GTEST_TOTAL_SHARDS=${PARTS};GTEST_SHARD_INDEX=${INDEX}")
  endforeach()
endfunction()
