// What an engine tells of its model, from the file. Pure functions, any thread.
#pragma once

#include "base/result.h"
#include "engine/engine.h"
#include "format/gguf.h"

namespace ingle {

// Our defaults, overridden by those the file names: general.sampling.{temp, top_k, top_p, min_p, penalty_repeat,
// penalty_last_n}. Error: kInvalidData names a key whose value is of the wrong type or out of range.
Result<SamplingParams> default_sampling(const GgufFile& file);

// The fields that come from the file alone.
Result<ModelInfo> model_info(const GgufFile& file);

}  // namespace ingle
