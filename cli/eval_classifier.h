// What `framefold eval` does with a classifier's run.
#pragma once

#include <string>

#include "cli/trained.h"

namespace framefold {

// All views of all held-out videos; the confusion matrix goes to `picture`, empty: into the run.
void eval_classifier(const Trained& trained, std::string picture, bool as_json);

}  // namespace framefold
