/// intake.h: from the frames of a received message to what the scheduler must know of it: where the
/// delimiter is, whether the signature is right, what the header and the metadata say.
///
///     [routing ids ...] <IDS|MSG> signature header parent_header metadata content [buffers ...]
///
/// Needs nothing but the frames, so it can run wherever they were received. Signer and scanner
/// behind one face; see sign.h and scan.h for their rules. Single owner thread per intake.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "message.h"
#include "scan.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct intake intake;

typedef enum intake_kind {
    INTAKE_TASK = 0, ///< from a client
    INTAKE_REPLY,    ///< from an engine
    INTAKE_HUB,      ///< from the notifier or the registrar
} intake_kind;

typedef enum intake_status {
    INTAKE_OK = 0, ///< the scan was made; its own status is in `task`, `reply` or `hub`
    INTAKE_NO_DELIMITER,
    INTAKE_TOO_FEW_FRAMES, ///< fewer than five after the delimiter
    INTAKE_BAD_SIGNATURE,
} intake_status;

typedef struct intake_message {
    uint8_t status;     ///< intake_status; beyond it, nothing is valid unless it is INTAKE_OK
    uint8_t kind;       ///< intake_kind: which member of the union
    uint16_t delimiter; ///< its index among the frames
    /// INTAKE_TASK: where the msg_id stands in the header frame. Size 0: it is written with escapes
    /// there, or too far from its start.
    uint16_t id_at, id_size;
    const scan_span *spans; ///< what the scan_lists below index
    union {
        scan_submission task;
        scan_result reply;
        scan_hub hub;
    };
} intake_message;

/// What an intake is made with, borrowed for the call.
typedef struct intake_options {
    scan_packer packer;
    const char *signature_scheme; ///< as signer_create takes it
    const void *key;              ///< empty: nothing is checked
    size_t key_size;
} intake_options;

/// What is looked at ahead at most: all of it should still be in a near cache when it is used.
#define INTAKE_AHEAD_MAX 32

/// NULL with the reason in `error` (`error_size` bytes, always terminated).
intake *intake_create(const intake_options *, char *error, size_t error_size);
void intake_destroy(intake *);

/// Verifies messages together (signer_verify_all) for the calls of `intake_check` that follow, best
/// in this order, up to the next call of this or `intake_reset`. The frames must stay where they
/// are until then. More than INTAKE_AHEAD_MAX: the rest is verified when it is checked. `self`: an
/// intake.
void intake_look_ahead(void *self, const message_frames *messages, size_t count);
/// Looks at `count` frames. `out`'s spans point into the frames or the intake's arena; they are
/// valid until `intake_reset`, `spans` until the next call.
void intake_check(intake *, intake_kind, const message_frame *frames, uint32_t count,
                  intake_message *out);
/// The same for another thread to read, about a message that is passed on (transport_checker): what
/// does not lie in the frames is copied into `*kept`, for the reader to `free`; NULL: nothing was
/// to be copied. `self`: an intake, whose spans are forgotten; `kind`: an intake_kind; `out`: an
/// intake_message. False when memory is short: there is no result.
bool intake_check_apart(void *self, uint32_t kind, const message_frame *frames, uint32_t count,
                        void *out, void **kept);
/// Scans a task's header again: its msg_id with escapes resolved, valid until `intake_reset`.
scan_span intake_task_id(intake *, const message_frame *header);
/// Forgets the spans of earlier calls, but not what was looked at ahead.
void intake_forget_spans(intake *);
/// Forgets both (once a turn).
void intake_reset(intake *);

#ifdef __cplusplus
}
#endif
