// The only include site of napi.h. C++ exceptions of every kind become JavaScript ones at the boundary
// (NODE_ADDON_API_CPP_EXCEPTIONS_ALL); without SWALLOW_UNTHROWABLE, terminating a worker inside a call aborts.
#pragma once

#ifndef NAPI_VERSION
#define NAPI_VERSION 9
#endif
#define NODE_ADDON_API_CPP_EXCEPTIONS_ALL
#define NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS

#include <napi.h>
