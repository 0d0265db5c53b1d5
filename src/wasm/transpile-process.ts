import { EngineError } from '../errors.js'
import { singleIdMap } from '../launcher/id-map.js'
import { assetPath, seccompAsset } from '../launcher/installation.js'
import { collectReceipt } from '../runtime/collect-receipt.js'
import type { ContainerSpec } from '../runtime/spec.js'
import { type NativeWall, NODE_FLAGS, startDoubleWalled } from './double-wall.js'
import { WASM_LIMIT_WAYS } from './limit-ways.js'
import { MAXIMUM_MODULE_BYTES } from './module.js'
import { nodeFiles } from './node-files.js'
import { preparationMs, within } from './preparation.js'
import { sandboxPlan } from './sandbox-plan.js'
import { type SandboxProcess, startAlone, startWalled } from './sandbox-process.js'

/** What {@link transpileInProcess} needs besides the component. */
export interface TranspileOptions {
  readonly nativeWall: NativeWall
  readonly signal?: AbortSignal
  /** Is given what comes, in order. What it throws ends the process. */
  readonly take: (bytes: Uint8Array) => void
}

const PROGRAM = 'transpile-once.cjs'
/** A component has a module's greatest size, and what it is transpiled to holds its core modules and less than as much of JavaScript. */
const MAXIMUM_BYTES = 2 * MAXIMUM_MODULE_BYTES
const TERMINAL_SIZE = { rows: 24, columns: 80 } as const
const NOBODY: ContainerSpec = {
  hostname: 'transpiler',
  process: { args: [PROGRAM], env: [], cwd: '/', user: { uid: 0, gid: 0, additionalGids: [] }, terminal: false },
  mounts: [],
  network: { mode: 'none' },
  limits: {},
  readonlyRootfs: true,
  ephemeral: true,
  annotations: {},
}

/**
 * Has a component transpiled by a process behind the walls of a sandbox, in which no guest has run or will. Resolves when all has been taken.
 * Rejects with COMMAND_NOT_EXECUTABLE for one that cannot be transpiled, LIMIT_EXCEEDED for one that takes too long or becomes too large.
 */
export async function transpileInProcess(component: Uint8Array, { nativeWall, signal, take }: TranspileOptions): Promise<void> {
  const sandbox = await startProcess(nativeWall, signal)
  try {
    collectReceipt({
      container: PROGRAM,
      wall: 'wasm',
      kernel: sandbox.kernel,
      limits: NOBODY.limits,
      ways: WASM_LIMIT_WAYS,
      wasm: null,
    })
    for (const stream of [sandbox.stdout, sandbox.stderr]) stream?.on('error', () => {}).resume()
    await sandbox.execute()
    sandbox.start.end(component)
    await within(received(sandbox, take), preparationMs(null))
  } finally {
    sandbox.kill()
    await sandbox.ended.catch(() => {})
  }
}

function startProcess(nativeWall: NativeWall, signal: AbortSignal | undefined): Promise<SandboxProcess> {
  const start = {
    openStdin: false,
    terminal: false,
    upperPath: null,
    endPath: null,
    channels: 0,
    asksRemote: false,
    outlives: false,
    ...(signal === undefined ? {} : { signal }),
  }
  return startDoubleWalled(nativeWall, NOBODY, {
    alone: () => startAlone(NODE_FLAGS, start, PROGRAM),
    walled: () => {
      const plan = sandboxPlan({
        spec: NOBODY,
        idMap: singleIdMap(),
        node: nodeFiles(),
        sandboxPath: assetPath('sandbox'),
        nodeFlags: NODE_FLAGS,
        program: PROGRAM,
        layers: [],
        descriptors: 2,
        sessionsFolder: null,
        openStdin: false,
        keepStdin: false,
        supervision: [],
        terminalSize: TERMINAL_SIZE,
        fileBytes: 0,
      })
      return startWalled(plan, seccompAsset() ?? '', start)
    },
  })
}

/** Resolves when the process has said all and ended well. */
async function received({ control, ended }: SandboxProcess, take: TranspileOptions['take']): Promise<void> {
  let left = MAXIMUM_BYTES
  for await (const chunk of control as AsyncIterable<Buffer>) {
    left -= chunk.length
    if (left < 0) throw new EngineError('LIMIT_EXCEEDED', `the component becomes more than ${MAXIMUM_BYTES} bytes when it is transpiled`)
    take(chunk)
  }
  const { code } = await ended
  if (code !== 0) throw new EngineError('COMMAND_NOT_EXECUTABLE', 'the component cannot be transpiled')
}
