import { readClock } from './clock.js'
import type { Context } from './context.js'
import { errnoOf, WasiError } from './errno.js'
import { CLOCKID, EVENTTYPE, SUBCLOCKFLAGS } from './flags.js'
import type { GuestMemory } from './guest-memory.js'
import type { InputStream } from './host.js'
import { EVENT_SIZE, SUBSCRIPTION_SIZE } from './layouts.js'
import { RIGHTS } from './rights.js'
import { StreamDescriptor } from './stream-descriptor.js'

/** The most subscriptions of one call: each is looked at whenever something happens. */
const SUBSCRIPTIONS_MAXIMUM = 4096
const EVENTRWFLAGS_HANGUP = 1

type Subscription =
  | { readonly kind: 'clock'; readonly userdata: bigint; readonly deadlineNs: bigint }
  | { readonly kind: 'read' | 'write'; readonly userdata: bigint; readonly fd: number }
  | { readonly kind: 'invalid'; readonly userdata: bigint; readonly type: number; readonly errno: number }

interface PollEvent {
  readonly userdata: bigint
  readonly errno: number
  readonly type: number
  readonly bytes: number
  readonly flags: number
}

/** `poll_oneoff`: waits for clocks, for stdin, or for what is always ready. Sleeps in the host, never spins. */
export function pollFunctions(context: Context) {
  return {
    poll_oneoff(subscriptionsPointer: number, eventsPointer: number, count: number, writtenPointer: number): void {
      const total = count >>> 0
      if (total === 0 || total > SUBSCRIPTIONS_MAXIMUM) throw new WasiError('EINVAL')
      const memory = context.memory()
      memory.bytes(subscriptionsPointer, total * SUBSCRIPTION_SIZE)
      memory.bytes(eventsPointer, total * EVENT_SIZE)
      memory.u32(writtenPointer)
      const subscriptions = Array.from({ length: total }, (_, index) =>
        decodeSubscription(context, memory, (subscriptionsPointer >>> 0) + index * SUBSCRIPTION_SIZE),
      )
      const events = waitForEvents(context, subscriptions)
      for (const [index, event] of events.entries()) writeEvent(memory, (eventsPointer >>> 0) + index * EVENT_SIZE, event)
      memory.setU32(writtenPointer, events.length)
    },
  }
}

function decodeSubscription({ host }: Context, memory: GuestMemory, pointer: number): Subscription {
  const userdata = memory.u64(pointer)
  const type = memory.u8(pointer + 8)
  if (type === EVENTTYPE.fdRead) return { kind: 'read', userdata, fd: memory.u32(pointer + 16) }
  if (type === EVENTTYPE.fdWrite) return { kind: 'write', userdata, fd: memory.u32(pointer + 16) }
  if (type !== EVENTTYPE.clock) throw new WasiError('EINVAL')
  const id = memory.u32(pointer + 16)
  const timeoutNs = memory.u64(pointer + 24)
  const absolute = (memory.u16(pointer + 40) & SUBCLOCKFLAGS.abstime) !== 0
  try {
    // All clocks are waited for on the monotonic one; a deadline on another is as far away there as here.
    const now = host.pollBeganNs?.() ?? host.clock.monotonicNs()
    if (!absolute) return { kind: 'clock', userdata, deadlineNs: now + timeoutNs }
    if (id === CLOCKID.monotonic) return { kind: 'clock', userdata, deadlineNs: timeoutNs }
    return { kind: 'clock', userdata, deadlineNs: now + timeoutNs - readClock(host.clock, id) }
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === undefined) throw error
    return { kind: 'invalid', userdata, type, errno }
  }
}

function waitForEvents(context: Context, subscriptions: readonly Subscription[]): PollEvent[] {
  for (;;) {
    const now = context.host.clock.monotonicNs()
    const events = subscriptions.flatMap((subscription) => eventOf(context, subscription, now) ?? [])
    if (events.length > 0) return events
    context.host.wait(waitedForInput(context, subscriptions), earliestDeadline(subscriptions))
  }
}

function earliestDeadline(subscriptions: readonly Subscription[]): bigint | null {
  let earliest: bigint | null = null
  for (const subscription of subscriptions)
    if (subscription.kind === 'clock' && (earliest === null || subscription.deadlineNs < earliest)) earliest = subscription.deadlineNs
  return earliest
}

/** The stdin among what is waited for: the only thing that can keep a guest waiting besides time. */
function waitedForInput({ table }: Context, subscriptions: readonly Subscription[]): InputStream | null {
  for (const subscription of subscriptions) {
    if (subscription.kind !== 'read') continue
    const descriptor = table.get(subscription.fd)
    if (descriptor instanceof StreamDescriptor && descriptor.input !== null) return descriptor.input
  }
  return null
}

function eventOf({ table }: Context, subscription: Subscription, now: bigint): PollEvent | null {
  const { userdata } = subscription
  if (subscription.kind === 'invalid') return { userdata, errno: subscription.errno, type: subscription.type, bytes: 0, flags: 0 }
  if (subscription.kind === 'clock')
    return now >= subscription.deadlineNs ? { userdata, errno: 0, type: EVENTTYPE.clock, bytes: 0, flags: 0 } : null
  const type = subscription.kind === 'read' ? EVENTTYPE.fdRead : EVENTTYPE.fdWrite
  try {
    const descriptor = table.with(subscription.fd, RIGHTS.pollFdReadwrite)
    if (subscription.kind === 'write') return { userdata, errno: 0, type, bytes: 65536, flags: 0 }
    const readable = descriptor.readable()
    if (readable === null) return null
    return { userdata, errno: 0, type, bytes: readable.bytes, flags: readable.ended ? EVENTRWFLAGS_HANGUP : 0 }
  } catch (error) {
    const errno = errnoOf(error)
    if (errno === undefined) throw error
    return { userdata, errno, type, bytes: 0, flags: 0 }
  }
}

function writeEvent(memory: GuestMemory, pointer: number, event: PollEvent): void {
  const view = memory.struct(pointer, EVENT_SIZE)
  view.setBigUint64(0, event.userdata, true)
  view.setUint16(8, event.errno, true)
  view.setUint8(10, event.type)
  view.setBigUint64(16, BigInt(event.bytes), true)
  view.setUint16(24, event.flags, true)
}
