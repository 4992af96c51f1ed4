/// pool_support.h: the transport's own pool.h, for CTransportTests.
#pragma once
#include "../../../CSources/CTransport/pool.h"
