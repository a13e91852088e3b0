// Which sizes a compiled function was made for. It is asked at every step, so the symbols are read once.
#pragma once

#include <ATen/core/Tensor.h>

#include <map>
#include <string>
#include <vector>

#include "spec.h"

namespace wuerstchen {

class Coverage {
 public:
  // Throws MODEL_INVALID for a symbol that cannot be read.
  Coverage(const std::vector<TensorSpec>& inputs, const std::map<std::string, Limit>& limits);

  // The inputs fit the specification.
  bool has(const std::vector<at::Tensor>& inputs) const;

 private:
  struct Side {
    size_t input;
    int64_t dimension;
    size_t symbol;
    int64_t divisor;  // 1: the symbol itself
  };

  std::vector<Side> sides_;    // those that are symbols; what is derived from one comes after it
  std::vector<Limit> limits_;  // by symbol
  bool isBounded_ = true;      // every symbol has a limit, and stands somewhere by itself
};

}  // namespace wuerstchen
