// Whether the weights of a TorchScript file are as long as their descriptions say. LibTorch takes a weight's size from the
// description and its bytes from a record of the file, and does not compare the two: with a record that is too short, it reads
// what comes after it in memory, some of it while it loads.
#pragma once

#include <string>

namespace caffe2::serialize {
class PyTorchStreamReader;
}

namespace wuerstchen {

// Reads the descriptions alone, neither weights nor code. Throws MODEL_INVALID about `file` where a record is too short, or
// weights are sparse or quantized.
void expectWholeRecords(caffe2::serialize::PyTorchStreamReader& reader, const std::string& file);

}  // namespace wuerstchen
