// The interactive chat of `ingle run`: lines from the terminal, commands that begin with a slash, Ctrl-C and Ctrl-D.
#pragma once

#include "console.h"
#include "session.h"

namespace ingle {

// Until /bye or the end of input. A failed answer is told and the chat goes on. Errors: stdout can't be written.
Status chat(Session& session, Console& console);

}  // namespace ingle
