#!/usr/bin/env python3
"""Writes src/text/jinja_unicode_tables.inc: what Python's str methods know of characters beyond their general category.

Usage: scripts/make_unicode_tables.py > src/text/jinja_unicode_tables.inc
"""
import sys
import unicodedata

ALL = [c for c in range(sys.maxunicode + 1) if not 0xD800 <= c < 0xE000]


def ranges(name, test):
    found = []
    for c in ALL:
        if not test(chr(c)):
            continue
        if found and found[-1][1] == c - 1:
            found[-1][1] = c
        else:
            found.append([c, c])
    print(f"constexpr Range {name}[] = {{")
    row = "   "
    for first, last in found:
        cell = f" {{0x{first:X}, 0x{last:X}}},"
        if len(row) + len(cell) > 118:
            print(row)
            row = "   "
        row += cell
    print(row + "\n};")


def mappings(name, method):
    print(f"constexpr FullCase {name}[] = {{")
    for c in ALL:
        to = method(chr(c))
        if len(to) > 1:
            cells = [f"0x{ord(x):X}" for x in to] + ["0"] * (3 - len(to))
            print(f"    {{0x{c:X}, {{{', '.join(cells)}}}}},")
    print("};")


print(f"// Made by scripts/make_unicode_tables.py from Unicode {unicodedata.unidata_version}. Not to be edited.")
print("// clang-format off")
ranges("kLower", lambda c: c.islower())
ranges("kUpper", lambda c: c.isupper())
# In each of these the digits 0 to 9 follow each other, once or several times.
ranges("kDecimal", lambda c: c.isdecimal())
ranges("kDigitNotDecimal", lambda c: c.isdigit() and not c.isdecimal())
ranges("kNumericNotDigit", lambda c: c.isnumeric() and not c.isdigit())
# A sigma is final where only these stand between it and the end of a word: the word below is one letter longer or not.
ranges("kCaseIgnorable", lambda c: ("A" + c + "\u03a3").lower()[-1] == "\u03c2" and ("A\u03a3" + c + "B").lower()[1] == "\u03c3"
       and not (c + "\u03a3").lower().endswith("\u03c2"))
mappings("kFullUpper", str.upper)
mappings("kFullTitle", str.title)
print("// clang-format on")
