# embed_text(OUTPUT NAMESPACE NAME FILE [NAME FILE ...]): a header with each file's text as a string_view. The header
# changes only when a text does.
function(embed_text OUTPUT NAMESPACE)
  set(TEXT "// Made by cmake/EmbedText.cmake.\n#pragma once\n\n#include <string_view>\n\nnamespace ${NAMESPACE} {\n\n")
  while(ARGN)
    list(POP_FRONT ARGN NAME FILE)
    set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${FILE}")
    file(READ "${FILE}" CONTENT)
    string(APPEND TEXT "inline constexpr std::string_view ${NAME} = R\"TEXT~(${CONTENT})TEXT~\";\n")
  endwhile()
  string(APPEND TEXT "\n}  // namespace ${NAMESPACE}\n")
  if(EXISTS "${OUTPUT}")
    file(READ "${OUTPUT}" OLD)
  endif()
  if(NOT "${OLD}" STREQUAL "${TEXT}")
    file(WRITE "${OUTPUT}" "${TEXT}")
  endif()
endfunction()

set(HTML "${CMAKE_SOURCE_DIR}/src/report/html")
embed_text("${CMAKE_BINARY_DIR}/generated/report/report_files.h" steadyiqa::report
  kReportHtml "${HTML}/report.html" kReportCss "${HTML}/report.css" kReportJs "${HTML}/report.js"
  kUplotJs "${HTML}/vendor/uPlot.iife.min.js" kUplotCss "${HTML}/vendor/uPlot.min.css")

embed_text("${CMAKE_BINARY_DIR}/generated/cli/recipe_files.h" steadyiqa::cli
  kKorhonenSurrogate "${CMAKE_SOURCE_DIR}/recipes/korhonen-surrogate.toml")

set(PROTOCOLS "${CMAKE_SOURCE_DIR}/protocols")
embed_text("${CMAKE_BINARY_DIR}/generated/evaluation/protocol_files.h" steadyiqa::evaluation
  kNt2024 "${PROTOCOLS}/nt-2024.toml" kRobustV1 "${PROTOCOLS}/robust-v1.toml" kSmoke "${PROTOCOLS}/smoke.toml")
