/**
 * `wasi_snapshot_preview1`: every function of it, over a file tree in memory.
 *
 * The guest is hostile. Three rules keep it inside: its memory is touched only through {@link GuestMemory}, which checks every
 * range; its paths are walked one name at a time with a trail of directory handles, so that there is no string that could lead
 * out; and what it may learn beyond its files comes through {@link Host}.
 */
import { argsEnvFunctions } from './args-env.js'
import { clockFunctions } from './clock.js'
import type { Context } from './context.js'
import type { DescriptorTable } from './descriptor-table.js'
import { errnoOf, WasiError } from './errno.js'
import { fdFunctions } from './fd.js'
import { GuestMemory } from './guest-memory.js'
import type { GuestTree } from './guest-tree.js'
import { GuestExit, type Host, type Meter, type Witness } from './host.js'
import { pathFunctions } from './path.js'
import { pollFunctions } from './poll.js'
import { procFunctions } from './proc.js'
import { randomFunctions } from './random.js'
import { schedFunctions } from './sched.js'
import { sockFunctions } from './sock.js'

/** One guest's view of the host. */
export interface Preview1 {
  /** What to pass to `WebAssembly.instantiate` under `PREVIEW1`. */
  readonly functions: Readonly<Record<string, (...args: never[]) => number>>
  /** Tells where the guest's memory is; before the first call. */
  attach(memory: WebAssembly.Memory): void
  /** How the guest ended itself, if it has. It stays ended, whatever it catches. */
  readonly exit: GuestExit | null
}

type Call = (...args: never[]) => void

/** What a guest is made of. */
export interface Preview1Options {
  readonly host: Host
  /** stdin, stdout and stderr, then the preopened directories. */
  readonly table: DescriptorTable
  readonly tree: GuestTree
  /** Counts the calls; nobody does unless said. */
  readonly meter?: Meter | null
  /** Sees the calls; nobody does unless said. */
  readonly witness?: Witness | null
}

/** Links these parts into the functions of preview1. */
export function createPreview1(options: Preview1Options): Preview1 {
  let guestMemory: GuestMemory | undefined
  let exit: GuestExit | null = null
  const { meter = null, witness = null } = options
  const context: Context = {
    ...options,
    memory: () => {
      if (guestMemory === undefined) throw new WasiError('EFAULT')
      return guestMemory
    },
  }

  function answer(name: string, call: Call): (...args: never[]) => number {
    const serve = witness === null ? perform : witnessed(witness, name)
    if (meter === null && witness === null) return plain(call)
    return (...args) => {
      if (exit !== null) throw exit
      return meter === null ? serve(call, args) : metered(meter, () => serve(call, args))
    }
  }

  // With a parameter for each that any call has, and not an array of them to be made for each call.
  function plain(call: Call): (...args: never[]) => number {
    return (a: never, b: never, c: never, d: never, e: never, f: never, g: never, h: never, i: never) => {
      // A guest with exception handling can catch what proc_exit throws; no call serves it after that.
      if (exit !== null) throw exit
      try {
        call(a, b, c, d, e, f, g, h, i)
        return 0
      } catch (error) {
        return failed(error)
      }
    }
  }

  function perform(call: Call, args: never[]): number {
    try {
      call(...args)
      return 0
    } catch (error) {
      return failed(error)
    }
  }

  function failed(error: unknown): number {
    const errno = errnoOf(error)
    if (errno !== undefined) return errno
    if (error instanceof GuestExit) exit = error
    throw error
  }

  /** Whoever answers in preview1's place also says when the guest has ended. */
  function witnessed(by: Witness, name: string): typeof perform {
    return (call, args) => {
      try {
        return by.around(name, args, guestMemory, () => perform(call, args))
      } catch (error) {
        if (error instanceof GuestExit) exit = error
        throw error
      }
    }
  }

  function metered(by: Meter, call: () => number): number {
    by.callHost()
    const before = guestMemory?.handedOut ?? 0
    const errno = call()
    by.touch((guestMemory?.handedOut ?? 0) - before)
    return errno
  }

  const functions = Object.fromEntries(Object.entries(callsOf(context)).map(([name, call]) => [name, answer(name, call as Call)]))
  return {
    functions,
    attach: (memory) => {
      guestMemory = new GuestMemory(memory)
    },
    get exit() {
      return exit
    },
  }
}

function callsOf(context: Context) {
  return {
    ...argsEnvFunctions(context),
    ...clockFunctions(context),
    ...fdFunctions(context),
    ...pathFunctions(context),
    ...pollFunctions(context),
    ...procFunctions(),
    ...randomFunctions(context),
    ...schedFunctions(),
    ...sockFunctions(context),
  }
}
