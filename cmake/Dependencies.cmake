# The libraries we stand on; scripts/packages lists the Debian packages that bring them.
find_package(Torch REQUIRED)
find_package(OpenCV REQUIRED COMPONENTS core imgproc imgcodecs)
find_package(OpenSSL REQUIRED COMPONENTS Crypto)
find_package(JPEG REQUIRED)
find_package(Eigen3 REQUIRED NO_MODULE)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(MATIO REQUIRED IMPORTED_TARGET matio)
pkg_check_modules(TOMLPLUSPLUS REQUIRED IMPORTED_TARGET tomlplusplus)
find_package(Threads REQUIRED)
find_package(Protobuf REQUIRED)
find_package(ONNX REQUIRED) # its messages alone: target onnx_proto

# libtorch as one SYSTEM target.
add_library(steadyiqa_torch INTERFACE)
target_include_directories(steadyiqa_torch SYSTEM INTERFACE ${TORCH_INCLUDE_DIRS})
separate_arguments(TORCH_FLAGS UNIX_COMMAND "${TORCH_CXX_FLAGS}")
target_compile_options(steadyiqa_torch INTERFACE ${TORCH_FLAGS})
target_link_libraries(steadyiqa_torch INTERFACE ${TORCH_LIBRARIES})
