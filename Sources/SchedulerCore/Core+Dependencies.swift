/// Dependencies: the edges of the graph, and what a finished task means to those that named it.
///
/// Nothing here recurses: finished tasks stand in `finishing` until their dependents have been
/// told, so a chain of a million tasks that fails costs a loop, not a stack.

extension SchedulerCore {
  mutating func link(owner: UInt32, dependency: UInt32, isFollow: Bool) {
    let last = live[dependency].lastDependent
    let edge = Edge(
      dependency: dependency, owner: owner, nextOfDependency: nowhere,
      previousOfDependency: last, nextOfOwner: live[owner].firstEdge, isFollow: isFollow)
    let index: UInt32
    if freeEdge == nowhere {
      index = UInt32(edges.count)
      edges.append(edge)
    } else {
      index = freeEdge
      freeEdge = edges[index].nextOfOwner
      edges[index] = edge
    }
    edgeCount += 1
    live[owner].firstEdge = index
    // At the tail: dependents are told in the order of their submission.
    if last == nowhere {
      live[dependency].firstDependent = index
    } else {
      edges[last].nextOfDependency = index
    }
    live[dependency].lastDependent = index
  }

  /// Forgets what a task that is done was waiting for.
  mutating func unlinkEdges(of owner: UInt32) {
    var index = live[owner].firstEdge
    while index != nowhere {
      let edge = edges[index]
      if edge.dependency != nowhere {
        if edge.previousOfDependency == nowhere {
          live[edge.dependency].firstDependent = edge.nextOfDependency
        } else {
          edges[edge.previousOfDependency].nextOfDependency = edge.nextOfDependency
        }
        if edge.nextOfDependency == nowhere {
          live[edge.dependency].lastDependent = edge.previousOfDependency
        } else {
          edges[edge.nextOfDependency].previousOfDependency = edge.previousOfDependency
        }
      }
      edges[index].nextOfOwner = freeEdge
      freeEdge = index
      edgeCount -= 1
      index = edge.nextOfOwner
    }
    live[owner].firstEdge = nowhere
  }

  /// Tells the dependents of everything in `finishing`, and of what fails because of that, then
  /// gives the slots back.
  mutating func propagate(_ commands: inout CommandBuffer) {
    var cursor = 0
    while cursor < finishing.count {
      let slot = finishing[cursor]
      cursor += 1
      let fate = fates[live[slot].id.value]
      var index = live[slot].firstDependent
      while index != nowhere {
        let edge = edges[index]
        edges[index].dependency = nowhere
        if edge.isFollow {
          resolveFollow(edge.owner, fate, &commands)
        } else {
          resolveAfter(edge.owner, fate, &commands)
        }
        // Read again: failing the owner may have unlinked its other edge to this very task.
        index = edges[index].nextOfDependency
      }
      live[slot].nextRunning = freeLive
      freeLive = slot
      liveCount -= 1
    }
    finishing.removeAll()
  }

  private mutating func resolveAfter(
    _ owner: UInt32, _ fate: Fate, _ commands: inout CommandBuffer
  ) {
    // Met by another id (any) or done already.
    guard live[owner].phase == .waiting else { return }
    live[owner].afterPending -= 1
    let rule = live[owner].afterRule
    let satisfied = rule.accepts(fate)
    if rule.contains(.all) ? !satisfied : !satisfied && live[owner].afterPending == 0 {
      fail(owner, .impossibleDependency, .afterCannotBeMet, &commands)
    } else if rule.contains(.all) ? live[owner].afterPending == 0 : satisfied {
      live[owner].phase = .ready
      newlyReady.push(entry(owner))
    }
  }

  private mutating func resolveFollow(
    _ owner: UInt32, _ fate: Fate, _ commands: inout CommandBuffer
  ) {
    guard live[owner].phase != .done else { return }
    live[owner].followPending -= 1
    let rule = live[owner].followRule
    if rule.accepts(fate) {
      noteFollowed(owner, fate.engine)
    } else if rule.contains(.all)
      || live[owner].followPending == 0 && !live[owner].flags.contains(.followSatisfied)
    {
      // A running task has found its engine: only `any` gets here then, and it stays.
      guard live[owner].phase != .running else { return }
      fail(owner, .impossibleDependency, .followCannotBeMet, &commands)
      return
    }
    if live[owner].phase == .ready { newlyReady.push(entry(owner)) }
  }

  /// An id of `follow` that counts ran on this engine (`nowhere`: the scheduler failed it).
  mutating func noteFollowed(_ slot: UInt32, _ engine: UInt32) {
    live[slot].flags.insert(.followSatisfied)
    if engine == nowhere {
      if live[slot].followRule.contains(.all) { live[slot].flags.insert(.followNowhere) }
      return
    }
    let head = live[slot].followEngines
    if head == nowhere {
      lists.push(engine, onto: &live[slot].followEngines)
    } else if lists[head].value != engine {
      if live[slot].followRule.contains(.all) {
        live[slot].flags.insert(.followSplit)
      } else if !lists.contains(engine, in: head) {
        lists.push(engine, onto: &live[slot].followEngines)
      }
    }
  }
}
