/// loads_testing.h: what the tests and benchmarks of the load vector need beyond loads.h; the
/// scheduler itself never includes it.
///
/// Invariant: nothing here changes what a vector answers, only how it comes to the answer.
#pragma once
#include "loads.h"

#ifdef __cplusplus
extern "C" {
#endif

/// The names of the kernels that this CPU supports, best first; NULL past the last.
const char *loads_kernel_supported(uint32_t index);
/// The names of the kernels that were compiled in, best first; NULL past the last.
const char *loads_kernel_compiled(uint32_t index);
/// Makes this one vector use a kernel; false (and no change) when this CPU does not support it.
bool loads_use_kernel(loads *, const char *name);
/// What YARDMASTER_KERNEL=`forced` (or NULL) would pick, and in `note` (at least 160 bytes) the
/// reason when that is not what was asked, or an empty string.
const char *loads_kernel_pick(const char *forced, char *note, size_t note_size);

/// Leaves at most `left` stamps at either end of the range, so that renumbering comes soon.
void loads_force_stamps(loads *, uint32_t left);

#ifdef __cplusplus
}
#endif
