"""SEMANTICS.md 5: ipyparallel's own client code raises RemoteError with the right ename."""

from __future__ import annotations

import ipyparallel as ipp
import pytest
from ipyparallel import error


def raised_from(content: dict) -> ipp.RemoteError:
    """What a client raises for this content."""
    with pytest.raises(ipp.RemoteError) as caught:
        raise error.unwrap_exception(content)
    return caught.value


def provoke(rigs, ename: str):
    if ename == "EngineError":
        rig = rigs("--stranded-after", "0.05")
        header = rig.submit()
        rig.engine.task()
        rig.cluster.hub.unregister(rig.engine.uuid)
    else:
        rig = rigs()
        if ename == "TaskTimeout":
            rig.submit()
            header = rig.submit(timeout=0.02)
        elif ename == "ImpossibleDependency":
            header = rig.submit(targets=["gone"])
        else:
            header = rig.submit(after=["never-seen"])
    return rig.expect_error(header, ename)


@pytest.mark.parametrize(
    "ename", ["InvalidDependency", "ImpossibleDependency", "TaskTimeout", "EngineError"]
)
def test_5_remote_error(rigs, ename):
    reply = provoke(rigs, ename)
    remote = raised_from(reply.content)
    assert remote.ename == ename
    assert hasattr(error, ename)
    assert remote.render_traceback()
    assert ename in str(remote)
