// The one table of dtypes: the names that are used everywhere outside C++, and LibTorch's scalar types.
#pragma once

#include <c10/core/ScalarType.h>

#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "error.h"

namespace wuerstchen {

inline constexpr std::array<std::pair<std::string_view, c10::ScalarType>, 10> kDtypes{{
    {"float32", c10::ScalarType::Float},
    {"float16", c10::ScalarType::Half},
    {"bfloat16", c10::ScalarType::BFloat16},
    {"float64", c10::ScalarType::Double},
    {"int64", c10::ScalarType::Long},
    {"int32", c10::ScalarType::Int},
    {"int16", c10::ScalarType::Short},
    {"int8", c10::ScalarType::Char},
    {"uint8", c10::ScalarType::Byte},
    {"bool", c10::ScalarType::Bool},
}};

// Throws INVALID_ARGUMENT for a name that is not in the table.
inline c10::ScalarType dtypeFromName(std::string_view name) {
  for (const auto& [known, type] : kDtypes) {
    if (known == name) return type;
  }
  throw Error(Code::InvalidArgument, "Expected a known dtype but received " + std::string(name), "dtype");
}

inline std::string dtypeName(c10::ScalarType type) {
  for (const auto& [name, known] : kDtypes) {
    if (known == type) return std::string(name);
  }
  return c10::toString(type);
}

}  // namespace wuerstchen
