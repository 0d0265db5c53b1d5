/** What ends a component at once: it has broken a rule that WASI says is a trap. */
export class Trap extends Error {
  override readonly name = 'Trap'
}

/** The result `error` of a WASI function, which is the guest's to deal with. */
export class Failure {
  constructor(readonly payload: unknown) {}
}
