// Target regions: code between INGLE_TARGET_BEGIN("...") and INGLE_TARGET_END is compiled for the named instruction set
// extensions, whatever the flags of the file are. Include standard headers before a region, never inside one, and
// define no lambda inside one: neither compiler promises that it takes the region's target.
//
// Each vec_*.h defines INGLE_REGION_BEGIN and INGLE_REGION_END for its own instruction set, and so does each
// codebooks_*.cpp. The *.inl.h open and close that region after their includes, so that a translation unit includes one
// vec_*.h, first, or none. What the *.inl.h
// define is a template over the instruction set or has internal linkage: otherwise the linker could keep one file's AVX
// code for another file's call.
#pragma once

#define INGLE_PRAGMA(text) _Pragma(#text)
#if defined(__clang__)
#define INGLE_TARGET_BEGIN(features) \
  INGLE_PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#define INGLE_TARGET_END INGLE_PRAGMA(clang attribute pop)
#else
#define INGLE_TARGET_BEGIN(features) INGLE_PRAGMA(GCC push_options) INGLE_PRAGMA(GCC target(features))
#define INGLE_TARGET_END INGLE_PRAGMA(GCC pop_options)
#endif

#define INGLE_INLINE inline __attribute__((always_inline))
