/// subscribe.c: what the peers of a PUB want to hear, and what our SUB asks for. Called by
/// connection.c, send.c and, as a native_host, by traffic.c.
///
/// Invariant: a topic is listed once, with the number of subscriptions that were not cancelled.
#include <stdlib.h>
#include <string.h>

#include "body.h"

static const char *add(native_topics *topics, native_bytes topic)
{
    static const char NO_MEMORY[] = "needs more memory than there is";
    if (topics->count == NATIVE_TOPICS_MAX)
        return "subscribes to too many topics";
    if (topics->count == topics->capacity) {
        uint32_t capacity = topics->capacity ? topics->capacity * 2 : 4;
        native_topic *list = realloc(topics->list, capacity * sizeof *list);
        if (!list)
            return NO_MEMORY;
        topics->list = list;
        topics->capacity = capacity;
    }
    uint8_t *bytes = malloc(topic.size);
    if (!bytes)
        return NO_MEMORY;
    memcpy(bytes, topic.data, topic.size);
    topics->list[topics->count++] =
        (native_topic){.bytes = bytes, .size = (uint32_t)topic.size, .count = 1};
    return NULL;
}

static const char *change(native_topics *topics, bool subscribes, native_bytes topic)
{
    if (topic.size == 0) {
        if (subscribes)
            topics->everything++;
        else if (topics->everything > 0)
            topics->everything--;
        return NULL;
    }
    for (uint32_t i = 0; i < topics->count; i++) {
        native_topic *each = &topics->list[i];
        if (each->size != topic.size || memcmp(each->bytes, topic.data, topic.size) != 0)
            continue;
        each->count += subscribes ? 1 : UINT32_MAX;
        if (each->count == 0) {
            free(each->bytes);
            *each = topics->list[--topics->count];
        }
        return NULL;
    }
    return subscribes ? add(topics, topic) : NULL;
}

const char *native_subscription(native_peer *peer, bool subscribes, native_bytes topic)
{
    native_connection *connection = (native_connection *)peer;
    native_body *body = native_of(connection->owner);
    if (!body->roles[connection->role].publishes)
        return NULL; // not for us: as any command that we do not know
    bool heard = native_topics_any(&connection->topics);
    const char *reason = change(&connection->topics, subscribes, topic);
    if (!reason && subscribes && !heard && connection->role == TRANSPORT_MONITOR)
        body->tell_subscribed = true;
    return reason;
}

const char *native_subscription_message(native_peer *peer, native_block *block)
{
    const char *reason = NULL;
    const message_frame *frame = block->head.frames;
    if (block->head.frame_count == 1 && frame->size > 0 && frame->data[0] <= 1) {
        native_bytes topic = {frame->data + 1, (size_t)frame->size - 1};
        reason = native_subscription(peer, frame->data[0] == 1, topic);
    }
    native_block_dispose(&block->head);
    return reason;
}

bool native_topics_match(const native_topics *topics, native_bytes first_frame)
{
    if (topics->everything > 0)
        return true;
    for (uint32_t i = 0; i < topics->count; i++) {
        const native_topic *each = &topics->list[i];
        if (each->size <= first_frame.size &&
            memcmp(each->bytes, first_frame.data, each->size) == 0)
            return true;
    }
    return false;
}

bool native_topics_any(const native_topics *topics)
{
    return topics->everything > 0 || topics->count > 0;
}

void native_topics_free(native_topics *topics)
{
    for (uint32_t i = 0; i < topics->count; i++)
        free(topics->list[i].bytes);
    free(topics->list);
    *topics = (native_topics){0};
}

void native_subscribe_all(native_connection *connection)
{
    native_body *body = native_of(connection->owner);
    if (connection->peer.minor >= 1) {
        static const uint8_t SUBSCRIBE[] = "\x09SUBSCRIBE";
        native_send_command(&connection->peer, (native_bytes){SUBSCRIBE, sizeof SUBSCRIBE - 1});
        return;
    }
    static const uint8_t ONE[] = {1};
    if (!native_output_frame(&connection->output, &body->chunks, connection->owner->messages,
                             connection->peer.mechanism, 0, (native_bytes){ONE, 1}, MESSAGE_NONE))
        connection->broken = true;
    native_connection_mark_dirty(connection);
}
