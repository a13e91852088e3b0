#include "coverage.h"

#include <c10/util/SmallVector.h>

#include <algorithm>

namespace wuerstchen {

Coverage::Coverage(const std::vector<TensorSpec>& inputs, const std::map<std::string, Limit>& limits) {
  std::vector<std::string> symbols;
  // Two passes, so that a symbol is known before what is derived from it, whatever the order of the inputs.
  for (const bool derived : {false, true}) {
    for (size_t i = 0; i < inputs.size(); ++i) {
      const std::vector<Dimension>& shape = inputs[i].shape;
      for (size_t d = 0; d < shape.size(); ++d) {
        const auto* name = std::get_if<std::string>(&shape[d]);
        if (name == nullptr) continue;
        const auto [base, divisor] = parseSymbol(*name);
        if ((divisor != 1) != derived) continue;
        const auto symbol = static_cast<size_t>(std::find(symbols.begin(), symbols.end(), base) - symbols.begin());
        if (symbol == symbols.size()) {
          const auto limit = limits.find(base);
          if (derived || limit == limits.end()) {
            isBounded_ = false;
            return;
          }
          symbols.push_back(base);
          limits_.push_back(limit->second);
        }
        sides_.push_back({i, static_cast<int64_t>(d), symbol, divisor});
      }
    }
  }
}

bool Coverage::has(const std::vector<at::Tensor>& inputs) const {
  if (!isBounded_) return false;
  c10::SmallVector<int64_t, 8> sizes(limits_.size(), 0);
  for (const Side& side : sides_) {
    const int64_t size = inputs[side.input].size(side.dimension) * side.divisor;
    if (side.divisor != 1) {
      if (sizes[side.symbol] != size) return false;
      continue;
    }
    const Limit& limit = limits_[side.symbol];
    if (size < limit.least || size > limit.most || size % limit.multipleOf != 0) return false;
    sizes[side.symbol] = size;
  }
  return true;
}

}  // namespace wuerstchen
