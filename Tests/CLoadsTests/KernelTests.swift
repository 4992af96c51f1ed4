// Which kernels this build and this CPU have, and how one is picked or forced.

import CLoads
import Testing

@Suite struct KernelTests {
  /// Says which kernels of this build the other tests did not reach, and why.
  @Test func everyCompiledKernelIsTestedOrNamed() {
    #expect(Kernels.supported.last == "scalar")
    #expect(Set(Kernels.supported).isSubset(of: Kernels.compiled))
    for kernel in Kernels.compiled where !Kernels.supported.contains(kernel) {
      print("CLoadsTests: kernel \(kernel) skipped: this CPU does not support it")
    }
  }

  private func pick(_ forced: String?) -> (name: String, note: String) {
    var note = [CChar](repeating: 1, count: 160)
    let name = String(cString: loads_kernel_pick(forced, &note, note.count))
    return (name, note.withUnsafeBufferPointer { String(cString: $0.baseAddress!) })
  }

  @Test func kernelsAreForcedByName() {
    #expect(pick(nil) == (Kernels.supported[0], ""))
    #expect(pick("") == (Kernels.supported[0], ""))
    for kernel in Kernels.supported { #expect(pick(kernel) == (kernel, "")) }
    for kernel in Kernels.compiled where !Kernels.supported.contains(kernel) {
      #expect(pick(kernel).name == Kernels.supported[0])
      #expect(pick(kernel).note.contains("needs another CPU"))
    }
    let unknown = pick("mmx")
    #expect(unknown.name == Kernels.supported[0])
    #expect(
      unknown.note
        == "YARDMASTER_KERNEL=mmx is not a kernel of this build; using \(Kernels.supported[0])")
    #expect(pick(String(repeating: "x", count: 9_999)).note.count < 160)
    #expect(!Vector(.lru).useKernel("mmx"))
  }

  @Test func theKernelInUseHasAName() {
    #expect(Kernels.supported.contains(String(cString: loads_kernel_name())))
  }
}
