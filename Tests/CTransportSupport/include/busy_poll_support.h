/// busy_poll_support.h: the transport's own busy_poll.h, for CTransportTests.
#pragma once
#include "../../../CSources/CTransport/busy_poll.h"
