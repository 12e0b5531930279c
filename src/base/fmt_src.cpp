// The one place where fmt is compiled, when it isn't used as headers alone (src/base/CMakeLists.txt says when and why).
#ifndef FMT_HEADER_ONLY
#include <fmt/format-inl.h>

// What fmt 9's own library instantiates and a char-only program needs.
FMT_BEGIN_NAMESPACE
namespace detail {
template FMT_API auto dragonbox::to_decimal(float value) noexcept -> dragonbox::decimal_fp<float>;
template FMT_API auto dragonbox::to_decimal(double value) noexcept -> dragonbox::decimal_fp<double>;
template FMT_API locale_ref::locale_ref(const std::locale& locale);
template FMT_API auto locale_ref::get<std::locale>() const -> std::locale;
template FMT_API auto thousands_sep_impl(locale_ref) -> thousands_sep_result<char>;
template FMT_API auto decimal_point_impl(locale_ref) -> char;
template FMT_API void buffer<char>::append(const char* begin, const char* end);
template FMT_API void vformat_to(buffer<char>& out, string_view text, basic_format_args<FMT_BUFFER_CONTEXT(char)> args,
                                 locale_ref locale);
}  // namespace detail
FMT_END_NAMESPACE
#endif
