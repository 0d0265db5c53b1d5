import { createHash, randomBytes } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { EngineError } from '../errors.js'
import { type Deferred, deferred } from '../launcher/deferred.js'
import { singleIdMap } from '../launcher/id-map.js'
import { assetPath, seccompAsset } from '../launcher/installation.js'
import { collectReceipt } from '../runtime/collect-receipt.js'
import { openObjects } from '../runtime/object-mounts.js'
import type { Receipt, WasmEvidence } from '../runtime/receipt.js'
import type { ContainerSpec, FileSystemObjects } from '../runtime/spec.js'
import { type NativeWall, NODE_FLAGS, startDoubleWalled } from '../wasm/double-wall.js'
import { serveFileSystems } from '../wasm/file-system-server.js'
import { WASM_LIMIT_WAYS } from '../wasm/limit-ways.js'
import { nodeFiles } from '../wasm/node-files.js'
import { preparationMs, within } from '../wasm/preparation.js'
import { CONTROL_DESCRIPTOR, type SandboxLayer } from '../wasm/sandbox/protocol.js'
import { parseEvent } from '../wasm/sandbox-event.js'
import { bindPath, layerPaths, sandboxPlan } from '../wasm/sandbox-plan.js'
import { type SandboxProcess, startAlone, startWalled } from '../wasm/sandbox-process.js'
import { guestProcess, sandboxLimits, sandboxMounts } from '../wasm/start-message.js'
import { NONCE_BYTES } from './call-protocol.js'
import { PluginChannel } from './channel.js'
import { encodeStart, type HostFunctionSummary, type PluginStart, type SnapshotStart } from './sandbox/plugin-start.js'

/** What a sandbox of a plugin is made of. */
export interface PluginSandboxRequest {
  readonly spec: ContainerSpec
  readonly objects: FileSystemObjects
  /** Of the image, base first; none for a plugin without one. */
  readonly layers: readonly SandboxLayer[]
  readonly module: Uint8Array
  readonly hostFunctions: readonly HostFunctionSummary[]
  readonly outputBytes: number
  readonly threads: number
  readonly snapshot: SnapshotStart | null
  readonly nativeWall: NativeWall
  readonly signal?: AbortSignal
}

const PLUGIN_PROGRAM = 'plugin.cjs'
/** No honest line is longer: the longest lists a module's imports. */
const LINE_BYTES = 8 * 2 ** 20
/** A thread that does not end by then is one of a process that is stopped, or that is no sandbox any more: the calls that wait get another. */
const REPLACEMENT_MS = 5000
const TERMINAL_SIZE = { rows: 24, columns: 80 } as const

/** The sandbox process of a plugin and its channels, from its owner's side. */
export class PluginSandbox {
  /** What isolation is in force. */
  readonly receipt: Receipt
  readonly channels: readonly PluginChannel[]
  /** Resolves with the reason when the process is gone, or has said what no sandbox says. */
  readonly died: Promise<EngineError>
  readonly #process: SandboxProcess
  readonly #control: PluginControl

  private constructor(process: SandboxProcess, control: PluginControl, channels: readonly PluginChannel[], receipt: Receipt) {
    this.#process = process
    this.#control = control
    this.channels = channels
    this.receipt = receipt
    this.died = control.died
    this.died.then((error) => {
      for (const channel of channels) channel.close(error)
      process.kill()
    })
  }

  /** Starts one. Resolves when all its threads wait for calls. */
  static async start(request: PluginSandboxRequest): Promise<PluginSandbox> {
    const { spec, module, threads } = request
    const objects = openObjects({ spec, objects: request.objects })
    const nonces = Array.from({ length: threads }, () => randomBytes(NONCE_BYTES))
    const { process, start } = await startProcess(request, nonces).catch((error: unknown) => {
      for (const { fs } of objects) fs.close()
      throw error
    })
    try {
      for (const stream of [process.stdout, process.stderr]) stream?.on('error', () => {}).resume()
      if (process.remote !== null) {
        const served = objects.map(({ mount, fs }) => [spec.mounts.indexOf(mount), { fs, readonly: mount.readonly }] as const)
        serveFileSystems(process.remote, new Map(served)).then(() => {
          for (const { fs } of objects) fs.close()
        })
      }
      const { kernel } = process
      const receipt = collectReceipt({ container: 'plugin', wall: 'wasm', kernel, limits: spec.limits, ways: WASM_LIMIT_WAYS, wasm: null })
      await process.execute()
      const control = new PluginControl(process)
      const channels = process.channels.map((stream) => new PluginChannel(stream, (what) => control.distrust(what)))
      process.start.end(encodeStart(start, module))
      const evidence = await within(control.ready, preparationMs(null) + (request.snapshot?.timeoutMs ?? 0))
      const sandbox = new PluginSandbox(process, control, channels, completed(receipt, evidence, module))
      await within(Promise.all(channels.map((channel, place) => channel.synchronize(nonces[place] as Buffer))), preparationMs(null))
      return sandbox
    } catch (error) {
      process.kill()
      await process.ended.catch(() => {})
      throw error
    }
  }

  /** Ends a channel's thread, whatever it does, and with it the call under way. Resolves when another has taken its place. */
  async replace(channel: PluginChannel, error: EngineError): Promise<void> {
    channel.abandon(error)
    const nonce = randomBytes(NONCE_BYTES)
    const replaced = this.#control.end(this.channels.indexOf(channel), nonce).then(() => channel.synchronize(nonce))
    const timer = setTimeout(() => this.#control.distrust('nothing of a thread that was to end'), REPLACEMENT_MS)
    await replaced.finally(() => clearTimeout(timer))
  }

  /** Ends it. Resolves when it is gone. */
  async close(): Promise<void> {
    this.#control.distrust('')
    await this.#process.ended.catch(() => {})
  }
}

/** What the sandbox's main thread says, and is told. It runs no guest code; it is checked all the same. */
class PluginControl {
  readonly ready: Promise<WasmEvidence>
  readonly died: Promise<EngineError>
  readonly #stream: Duplex
  readonly #ready = deferred<WasmEvidence>()
  readonly #died = deferred<EngineError>()
  readonly #replaced = new Map<number, Deferred<void>>()
  #partialLine = ''

  constructor({ control, ended }: SandboxProcess) {
    this.#stream = control
    this.ready = this.#ready.promise
    this.died = this.#died.promise
    control.setEncoding('utf8')
    control.on('data', (text: string) => this.#read(text))
    ended.then(
      () => this.#lost('the sandbox process of the plugin ended'),
      () => this.#lost('the sandbox process of the plugin ended'),
    )
  }

  /** Has a channel's thread ended. Resolves when it is. */
  end(channel: number, nonce: Buffer): Promise<void> {
    const replaced = deferred<void>()
    this.#replaced.set(channel, replaced)
    if (this.#stream.writable) this.#stream.write(`end ${channel} ${nonce.toString('hex')}\n`)
    return replaced.promise
  }

  /** Whoever speaks is no sandbox of wolffia's any more: nothing more is listened to. */
  distrust(what: string): void {
    this.#stream.removeAllListeners('data')
    this.#stream.destroy()
    this.#lost(what === '' ? 'the plugin was closed' : `the sandbox of the plugin said what no sandbox says: ${what}`)
  }

  #lost(message: string): void {
    this.#end(new EngineError('SANDBOX_FAILED', message))
  }

  /** Also of one that has been ready: what fails then is nobody's call. */
  #end(error: EngineError): void {
    this.#died.resolve(error)
    this.#ready.reject(error)
    for (const replaced of this.#replaced.values()) replaced.reject(error)
  }

  #read(text: string): void {
    const lines = (this.#partialLine + text).split('\n')
    this.#partialLine = lines.pop() ?? ''
    if (!lines.every((line) => this.#hear(line))) this.distrust('a word that there is not')
    else if (this.#partialLine.length > LINE_BYTES) this.distrust('a line without an end')
  }

  #hear(line: string): boolean {
    const channel = /^\{"event":"replaced","channel":(\d{1,5})\}$/.exec(line)?.[1]
    if (channel !== undefined) {
      const replaced = this.#replaced.get(Number(channel))
      this.#replaced.delete(Number(channel))
      replaced?.resolve()
      return replaced !== undefined
    }
    const event = parseEvent(line)
    if (event?.event === 'ready') this.#ready.resolve(event.evidence)
    else if (event?.event === 'failed') {
      const { code, message, hint, data } = event
      this.#end(new EngineError(code, message, hint === undefined ? { data } : { data, hint }))
    }
    return event?.event === 'ready' || event?.event === 'failed'
  }
}

interface Started {
  readonly process: SandboxProcess
  readonly start: PluginStart
}

function startProcess(request: PluginSandboxRequest, nonces: readonly Buffer[]): Promise<Started> {
  const { spec, layers, nativeWall, signal, threads } = request
  const asksRemote = spec.mounts.length > 0
  const start = {
    openStdin: false,
    terminal: false,
    upperPath: null,
    endPath: null,
    channels: threads,
    asksRemote,
    outlives: false,
    ...(signal === undefined ? {} : { signal }),
  }
  return startDoubleWalled(nativeWall, spec, {
    alone: () => ({ process: startAlone(NODE_FLAGS, start, PLUGIN_PROGRAM), start: pluginStart(request, nonces, layers) }),
    walled: async () => {
      const plan = sandboxPlan({
        spec,
        idMap: singleIdMap(),
        node: nodeFiles(),
        sandboxPath: assetPath('sandbox'),
        nodeFlags: NODE_FLAGS,
        program: PLUGIN_PROGRAM,
        layers,
        descriptors: 2 + threads + (asksRemote ? 1 : 0),
        sessionsFolder: null,
        openStdin: false,
        keepStdin: false,
        supervision: [],
        terminalSize: TERMINAL_SIZE,
        fileBytes: 0,
      })
      const inside = layers.map((_layer, place) => layerPaths(place))
      return { process: await startWalled(plan, seccompAsset() ?? '', start), start: pluginStart(request, nonces, inside) }
    },
  })
}

function pluginStart(
  { spec, hostFunctions, outputBytes, snapshot }: PluginSandboxRequest,
  nonces: readonly Buffer[],
  layers: readonly SandboxLayer[],
): PluginStart {
  const first = CONTROL_DESCRIPTOR + 1
  const { user, cwd, env } = guestProcess(spec.process)
  return {
    user,
    cwd,
    env,
    layers,
    mounts: sandboxMounts(spec, bindPath),
    readonlyRootfs: spec.readonlyRootfs,
    preopens: 'all',
    remoteDescriptor: spec.mounts.length > 0 ? first + nonces.length : null,
    limits: sandboxLimits(spec, 0),
    channels: nonces.map((nonce, place) => ({ descriptor: first + place, nonce: nonce.toString('hex') })),
    hostFunctions,
    outputBytes,
    snapshot,
  }
}

/** The receipt with the engine's evidence; the module's digest is compared from outside. */
function completed(receipt: Receipt, wasm: WasmEvidence, module: Uint8Array): Receipt {
  if (wasm.moduleDigest !== `sha256:${createHash('sha256').update(module).digest('hex')}`)
    throw new EngineError('SANDBOX_FAILED', 'the sandbox shows another module than it was given')
  const { kernel } = receipt
  const doubleWall = kernel?.namespaces.user.isolated === true && kernel.seccomp.mode === 2
  return { ...receipt, doubleWall, wasm, crossCheck: { ...receipt.crossCheck, moduleDigest: true } }
}
