import { type ComponentParts, runComponent } from '../../wasm/component/run-component.js'
import type { OutputStream } from '../../wasm/preview1/host.js'
import { guestHost } from '../../wasm/sandbox/guest-host.js'
import type { Outcome } from '../../wasm/sandbox/messages.js'
import { bytesInput } from './bytes-input.js'
import type { InstanceParts } from './call-server.js'
import { CallOver, OwnerGone } from './owner-channel.js'
import { stoppableHost } from './stoppable-host.js'

/** What one run of a component is given. */
export interface ComponentRun {
  readonly args: readonly string[]
  /** stdin. */
  readonly input: Uint8Array
  readonly output: { readonly stdout: OutputStream; readonly stderr: OutputStream }
}

/** Runs a command component to its end, in a realm of its own. Throws {@link CallOver}, and {@link OwnerGone}. */
export function performComponent(
  component: ComponentParts,
  { start, files, guard }: Pick<InstanceParts, 'start' | 'files' | 'guard'>,
  { args, input, output }: ComponentRun,
): Outcome {
  const world = {
    host: stoppableHost(guestHost({ args, env: start.env }), guard),
    tree: files.tree,
    streams: [bytesInput(input), output.stdout, output.stderr] as const,
    terminal: false,
    cwd: start.cwd,
    preopens: files.preopens,
    openFiles: start.limits.openFiles,
  }
  const outcome = runComponent(component, world, { guard: { guest: (run) => guard.guest(run), host: (call) => guard.host(call)() } })
  if (outcome.kind === 'exit') return { ...outcome, signal: null }
  const { cause, ...trap } = outcome
  if (cause instanceof CallOver || cause instanceof OwnerGone) throw cause
  return trap
}
