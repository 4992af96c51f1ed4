/// frames.h: a frame as a map of values, or as a shape that is known. Called by task.c, reply.c and
/// hub.c; carried out in scan.c.
///
/// Both packers come as values (value.h), so that every rule is written once.
#pragma once
#include "fields.h"
#include "shape.h"

/// Two documents are readable at the same time: the header and one other.
enum { SLOT_HEADER, SLOT_OTHER };

/// A frame that must be a map; false with a sentence in `*detail` when it is not.
bool scan_map(scanner *, int slot, scan_span frame, const char *what, scan_value *map,
              const char **detail);
/// A message id, kept; false when it is none.
bool scan_msg_id(scanner *, const scan_value *, scan_span *msg_id);
/// Whether one of the values is there.
bool scan_any_of(const scan_value *values, size_t count);

/// As in shape.h; never found nor learnt for msgpack.
const shape *scan_find_shape(scanner *, shape_kind, scan_span frame);
shape *scan_learn_shape(scanner *, shape_kind, scan_span frame, scan_span msg_id);
/// The msg_id of a frame whose shape is known.
scan_span scan_id_in(const shape *known, scan_span frame);
