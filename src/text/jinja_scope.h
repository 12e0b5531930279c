// Settles, once per template, which variable every name means. Jinja compiles templates to Python functions and gives
// each stretch of code (template, loop body, macro, with, ...) variables of its own; which one a name reaches follows
// from where the template assigns to it, not from what has run. Templates depend on it: a `set` in a loop is gone after
// the round, a macro sees variables set after it was defined, a name assigned later in the same scope hides the
// rendering's variable of that name even before. This file reproduces those rules.
#pragma once

#include "text/jinja_ast.h"

namespace ingle::jinja {

// Fills in the slots and scope code of the tree. Throws TemplateError for a program that could never run: an unknown
// filter or test outside a condition, a break outside a loop, an assignment to `loop`.
void resolve_names(Program* program);

}  // namespace ingle::jinja
