# OpenCV's core, imgproc and imgcodecs alone. Debian ships OpenCVConfig.cmake only in libopencv-dev, which brings all
# other modules, too (60 MB to download, 370 MB on disk); this finds the three in their own packages, or in any OpenCV.
find_path(OpenCV_INCLUDE_DIR opencv2/core.hpp PATH_SUFFIXES opencv4)
set(OpenCV_LIBS "")
foreach(MODULE core imgproc imgcodecs)
  find_library(OpenCV_${MODULE}_LIBRARY opencv_${MODULE})
  list(APPEND OpenCV_LIBRARIES ${OpenCV_${MODULE}_LIBRARY})
  if(OpenCV_INCLUDE_DIR AND OpenCV_${MODULE}_LIBRARY AND NOT TARGET opencv_${MODULE})
    add_library(opencv_${MODULE} UNKNOWN IMPORTED)
    set_target_properties(opencv_${MODULE} PROPERTIES
      IMPORTED_LOCATION "${OpenCV_${MODULE}_LIBRARY}"
      INTERFACE_INCLUDE_DIRECTORIES "${OpenCV_INCLUDE_DIR}")
  endif()
endforeach()
include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(OpenCV REQUIRED_VARS
  OpenCV_INCLUDE_DIR OpenCV_core_LIBRARY OpenCV_imgproc_LIBRARY OpenCV_imgcodecs_LIBRARY)
