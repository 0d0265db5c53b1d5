import type { DescriptorTable } from '../preview1/descriptor-table.js'
import type { GuestTree } from '../preview1/guest-tree.js'
import type { Host, InputStream, OutputStream } from '../preview1/host.js'
import { createPreview1 } from '../preview1/preview1.js'
import type { StdinReader } from './ring.js'
import { type Answer, type AskedCall, SharedCalls } from './shared-calls.js'
import type { SharedProgram } from './thread-messages.js'

/** Thrown where a call would keep everybody waiting. Never an `Error`, so that no call takes it for a failure. */
class NotHere {
  constructor(readonly answer: Answer) {}
}

/** What the threads' calls are answered from. */
export interface CallServerParts {
  readonly host: Host
  readonly stdin: StdinReader
  readonly tree: GuestTree
  /** Makes the table over these streams. */
  readonly table: (stdin: InputStream, stdout: OutputStream, stderr: OutputStream) => DescriptorTable
}

/** Answers the threads of a program for its descriptors, and never returns: the program's end is this thread's too. */
export function serveCalls({ memory, calls }: SharedProgram, { host, stdin, tree, table }: CallServerParts): never {
  /** When the call of each slot began, for one that asks again. */
  const began = new Map<number, bigint>()
  let slot = -1
  const { clock } = host
  const waiting = (forInput: boolean, deadlineNs: bigint | null): NotHere => {
    const left = deadlineNs === null ? null : deadlineNs - clock.monotonicNs()
    return new NotHere({ kind: 'wait', forInput, timeoutNs: left === null || left > 0n ? left : 0n })
  }
  const input: InputStream = {
    available: () => stdin.available(),
    read(buffer) {
      const { bytes, ended } = stdin.available()
      if (bytes === 0 && !ended) throw waiting(true, null)
      return stdin.read(buffer)
    },
  }
  const output = (stream: number): OutputStream => ({
    write() {
      throw new NotHere({ kind: 'write', stream })
    },
  })
  const served: Host = {
    ...host,
    pollBeganNs: () => began.get(slot) ?? clock.monotonicNs(),
    wait(waited, deadlineNs) {
      throw waiting(waited !== null, deadlineNs)
    },
  }
  const preview1 = createPreview1({ host: served, table: table(input, output(1), output(2)), tree })
  preview1.attach(memory)
  const answer = (call: AskedCall): Answer => {
    slot = call.slot
    if (!call.again) began.set(slot, clock.monotonicNs())
    try {
      return { kind: 'done', errno: preview1.functions[call.name]?.(...(call.args as never[])) ?? 0 }
    } catch (error) {
      if (error instanceof NotHere) return error.answer
      throw error
    }
  }
  const asked: SharedCalls = new SharedCalls(calls)
  return asked.serve(answer)
}
