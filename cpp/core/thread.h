// What every thread that runs LibTorch sets for itself first, and how it waits for its device.
#pragma once

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <c10/core/Device.h>
#include <c10/core/impl/VirtualGuardImpl.h>

namespace wuerstchen {

inline void setUpThread(int threads) {
  // A thread's first parallel region takes over the count that another thread set last. This question makes that happen now, so
  // that the count set below stays.
  at::get_num_threads();
  at::set_num_threads(threads);
  at::globalContext().setFlushDenormal(true);  // denormals cost a hundred times a normal number; OpenMP's threads inherit it
}

// Waits for the device's work, so that progress, timings and cancellation do not only mean its queue. Costs some 10 µs a step.
inline void synchronize(c10::Device device) {
  if (device.is_cpu()) return;
  c10::impl::VirtualGuardImpl(device.type()).synchronizeDevice(device.index());
}

}  // namespace wuerstchen
