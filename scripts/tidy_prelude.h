// Read before each file that clang-tidy checks (scripts/check_tidy). With g++ 12's library in C++20, clang 14
// instantiates the constexpr members of std::vector<c10::IValue> while IValue is still incomplete, and stops with errors
// inside libtorch's headers. Here std::vector is not constexpr, which our code never asks of it.
#pragma once

#include <compare>
#include <initializer_list>

#include <bits/stl_algobase.h>

#include <bits/allocator.h>
#include <bits/range_access.h>
#include <bits/refwrap.h>
#include <bits/stl_construct.h>
#include <bits/stl_uninitialized.h>
#include <debug/assertions.h>

#pragma push_macro("_GLIBCXX20_CONSTEXPR")
#undef _GLIBCXX20_CONSTEXPR
#define _GLIBCXX20_CONSTEXPR
#include <bits/stl_vector.h>
// stl_algobase.h has declared this one function of std::vector<bool> constexpr already.
#define __fill_a1 __fill_a1_of_bits
#include <bits/stl_bvector.h>
#undef __fill_a1
#include <bits/vector.tcc>
#pragma pop_macro("_GLIBCXX20_CONSTEXPR")
// GCC's gives the attribute an argument that clang does not know.
#define __malloc__(deallocator)
#include <omp.h>
#undef __malloc__
