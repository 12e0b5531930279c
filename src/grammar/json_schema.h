// JSON, and JSON Schema (2020-12, and what earlier drafts share with it), as grammars. A schema is honoured or refused:
// every text that its grammar has is an instance that the schema accepts (though not every such instance is a text of
// the grammar), and what can't be had that way is an error that names the keyword by its place, "#/properties/a/not".
//
// What an answer leaves out of what a schema would accept: properties that the schema does not name, unless
// `additionalProperties` says what they are; properties in another order than the schema's; values of types that go
// without `type` while other keywords are there (`properties` alone means an object); white space other than a space
// after `:` and `,` and new lines with indentation; numbers longer than number_grammar.h says.
// Schemas may contain themselves through `$ref` to a place in the same document. Any value may come in: depth, number
// of schemas and the size of the grammar are bounded.
#pragma once

#include "base/result.h"
#include "grammar/grammar_text.h"
#include "text/jinja_value.h"

namespace ingle {

GrammarText::Expression any_json(GrammarText& text);
GrammarText::Expression any_json_object(GrammarText& text);

// The values that `schema` accepts. Each call is a document of its own. Errors: kInvalidArgument (no schema; nothing
// would match; too large), kUnsupported.
Result<GrammarText::Expression> json_schema_grammar(GrammarText& text, const jinja::Value& schema);

}  // namespace ingle
