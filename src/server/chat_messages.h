// The messages of OpenAI's chat API, turned into what chat templates were written for.
#pragma once

#include "server/request_fields.h"
#include "text/chat_template.h"

namespace ingle {

// Reads messages and chat_template_kwargs. Content parts of text (or refusals, of an assistant) become one string, a
// newline between them; "developer" is "system"; the arguments of tool calls, which the API writes as a text, become
// the object that the text is. Images, audio and files are errors. Tools are read_tools()'s (chat_tools.h).
void read_chat_input(RequestFields& fields, ChatInput& out);

}  // namespace ingle
