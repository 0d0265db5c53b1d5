/** `sched_yield`: the guest has a thread of its own, there is nobody to yield to. */
export function schedFunctions() {
  return {
    sched_yield(): void {},
  }
}
