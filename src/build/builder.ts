/**
 * Builds an image of a Dockerfile, one instruction after the other. All that is made lies in one ingest until the last instruction has
 * succeeded: then the image and its names appear at once, and until then nothing does.
 */

import type { Workshop } from '../container/create.js'
import { resolveUser } from '../container/user.js'
import { EngineError } from '../errors.js'
import type { ReadonlyFileSystem } from '../fs/file-system.js'
import { fromUtf8 } from '../fs/names.js'
import { readTextFile } from '../fs/text-file.js'
import { UnionFs } from '../fs/union-fs.js'
import { applyInstruction, environmentOf, joinPaths, shellCommand } from '../image/change.js'
import { type ConfigChange, emptyImage, type Step, withChanges, withContainerConfig } from '../image/edit.js'
import { type Expansion, ExpansionBudget, expandWord } from '../image/expand.js'
import type { FoundImage } from '../image/find.js'
import type { Image } from '../image/image.js'
import { hostPlatform, namedPlatform, type PlatformWish, selectImage } from '../image/platform-select.js'
import type { PackedLayer } from '../layer/packed-layer.js'
import type { ContainerConfig } from '../oci/image-spec.js'
import { formatPlatform, type Platform } from '../oci/platform.js'
import { openStoredLayer } from '../rootfs/layer-stack.js'
import type { Ingest } from '../store/ingest.js'
import type { Store } from '../store/store.js'
import { copyInto, makeDirectories, type Owner } from './copy.js'
import type { Ignore } from './ignore.js'
import type {
  ArgInstruction,
  ConfigurationInstruction,
  CopyInstruction,
  Dockerfile,
  RunInstruction,
  StepInstruction,
} from './instructions.js'
import type { BuildEvent } from './progress.js'
import { type RunBounds, runCommand } from './run.js'
import { at } from './source.js'
import { planStages, type StagePlan, stageNamed, stageOf } from './stages.js'

/** What {@link Builder} stands on. */
export interface BuilderParts {
  readonly store: Store
  readonly ingest: Ingest
  /** The image of a FROM. */
  readonly base: (name: string, wish: PlatformWish) => Promise<FoundImage>
  readonly workshop: () => Promise<Workshop>
}

/** What is to be built. */
export interface BuilderRequest {
  readonly dockerfile: Dockerfile
  /** Without what is ignored. */
  readonly context: ReadonlyFileSystem
  readonly ignore: Ignore
  readonly buildArgs: Readonly<Record<string, string>>
  readonly labels: Readonly<Record<string, string>>
  readonly target?: string
  /** This machine's Linux unless said. */
  readonly platform?: Platform
  readonly bounds: RunBounds
  /** Times of all that is made. */
  readonly created: Date
  readonly report: (event: BuildEvent) => void
  readonly signal: AbortSignal | undefined
}

/** Build arguments that nobody has to declare, as docker's. */
const PROXIES = ['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'NO_PROXY', 'ALL_PROXY'].flatMap((name) => [name, name.toLowerCase()])

/** A stage under way, or done. */
interface StageState {
  image: Image
  readonly platform: Platform
  /** Arguments declared so far, with their values. */
  readonly args: Map<string, string>
  /** Whether the Dockerfile has given the command, which an ENTRYPOINT then leaves as it is. */
  hasCommand: boolean
}

/** One build. */
export class Builder {
  readonly #parts: BuilderParts
  readonly #request: BuilderRequest
  readonly #plan: StagePlan
  readonly #globals: ReadonlyMap<string, string>
  readonly #total: number
  readonly #budget = new ExpansionBudget()
  readonly #done = new Map<number, StageState>()
  readonly #usedArgs = new Set<string>(PROXIES)
  #number = 0

  /** Throws INVALID_ARGUMENT for what can be told wrong before anything is done. */
  constructor(parts: BuilderParts, request: BuilderRequest) {
    const { dockerfile, labels } = request
    this.#parts = parts
    this.#request = request
    this.#globals = this.#globalArguments()
    this.#plan = planStages(dockerfile, request.target, this.#expansion(this.#globals))
    const steps = this.#plan.needed.reduce((sum, number) => sum + 1 + (dockerfile.stages[number]?.steps.length ?? 0), 0)
    this.#total = dockerfile.globalArgs.length + steps + (Object.keys(labels).length > 0 ? 1 : 0)
  }

  /** Builds and returns the image, in the ingest. Rejects with the Dockerfile's line in the message. */
  async build(): Promise<Image> {
    const { dockerfile, labels, buildArgs, report } = this.#request
    for (const { source } of dockerfile.globalArgs) this.#begin(source.text)
    let last: StageState | undefined
    for (const number of this.#plan.needed) {
      last = await this.#buildStage(number)
      this.#done.set(number, last)
    }
    if (last === undefined) throw new EngineError('INTERNAL', 'a build without a stage')
    if (((await last.image.config()).history ?? []).length === 0 && (await last.image.layers()).length === 0)
      throw new EngineError('INVALID_ARGUMENT', 'no image was generated: nothing follows FROM scratch', {
        hint: 'COPY something into it.',
      })
    if (Object.keys(labels).length > 0) await this.#addLabels(last, labels)
    const unused = Object.keys(buildArgs).filter((name) => !this.#usedArgs.has(name))
    if (unused.length > 0) report({ event: 'warning', message: `One or more build-args [${unused.join(' ')}] were not consumed` })
    return last.image
  }

  #begin(instruction: string): void {
    const { report, signal } = this.#request
    if (signal?.aborted) throw new EngineError('ABORTED', 'stopped before it was finished', { cause: signal.reason })
    report({ event: 'step', number: ++this.#number, total: this.#total, instruction })
  }

  async #buildStage(number: number): Promise<StageState> {
    const { dockerfile, report } = this.#request
    const stage = dockerfile.stages[number]
    if (stage === undefined) throw new EngineError('INTERNAL', `no stage ${number}`)
    const { from, steps } = stage
    this.#begin(from.source.text)
    const name = this.#plan.images[number] ?? ''
    const state = await at(from.source, () => this.#base(number, name, from.platform))
    if (name !== 'scratch') report({ event: 'image', id: state.image.descriptor.digest })
    for (const step of steps) {
      this.#begin(step.source.text)
      await at(step.source, () => this.#take(state, step, number))
      report({ event: 'image', id: state.image.descriptor.digest })
    }
    return state
  }

  async #base(number: number, name: string, wanted: string | null): Promise<StageState> {
    const { dockerfile, platform } = this.#request
    const { ingest, base } = this.#parts
    const named = wanted === null ? undefined : namedPlatform(expandWord(wanted, this.#expansion(this.#globals)))
    const stage = stageNamed(dockerfile, name, number)
    const below = stage === null ? undefined : this.#done.get(stage)
    if (below !== undefined) return { image: below.image, platform: below.platform, args: new Map(), hasCommand: false }
    const wish = named ?? platform
    if (name === 'scratch') {
      const image = await emptyImage(ingest, wish ?? hostPlatform(), { WorkingDir: '/' })
      return { image, platform: wish ?? hostPlatform(), args: new Map(), hasCommand: false }
    }
    const asked = wish === undefined ? {} : { platform: wish }
    const found = await base(name, asked)
    const selected = await selectImage(ingest, found.descriptor, asked)
    const triggers = (await selected.image.config()).config?.OnBuild ?? []
    if (triggers.length > 0)
      throw new EngineError('NOT_BUILT', `the image ${name} has ONBUILD instructions, which are not built yet: ${triggers.join('; ')}`, {
        hint: 'Write them into this Dockerfile, and build on what that image was built on.',
      })
    return { ...selected, args: new Map(), hasCommand: false }
  }

  #take(state: StageState, step: StepInstruction, number: number): Promise<void> {
    switch (step.kind) {
      case 'arg':
        return this.#declare(state, step)
      case 'config':
        return this.#configure(state, step)
      case 'copy':
        return this.#copy(state, step, number)
      case 'run':
        return this.#run(state, step)
    }
  }

  #step(createdBy: string): Step {
    return { created: this.#request.created.toISOString(), created_by: createdBy }
  }

  async #configOf({ image }: StageState): Promise<ContainerConfig> {
    return (await image.config()).config ?? {}
  }

  /** Reads a word with the variables of the stage: the image's, and under them the arguments. */
  async #expander(state: StageState): Promise<{ readonly expand: (text: string) => string; readonly expansion: Expansion }> {
    const expansion = this.#expansion(new Map([...state.args, ...environmentOf(await this.#configOf(state))]))
    return { expand: (text) => expandWord(text, expansion), expansion }
  }

  #expansion(variables: ReadonlyMap<string, string>): Expansion {
    return { variables, escapeCharacter: this.#request.dockerfile.escapeCharacter, budget: this.#budget }
  }

  async #declare(state: StageState, { args, source }: ArgInstruction): Promise<void> {
    for (const { name, value } of args) {
      const { expand } = await this.#expander(state)
      const found = this.#argument(name) ?? (value === null ? this.#globals.get(name) : expand(value))
      this.#usedArgs.add(name)
      if (found !== undefined) state.args.set(name, found)
    }
    state.image = await withContainerConfig(this.#parts.ingest, state.image, {}, this.#step(source.text))
  }

  #argument(name: string): string | undefined {
    const { buildArgs } = this.#request
    return Object.hasOwn(buildArgs, name) ? buildArgs[name] : undefined
  }

  /** Arguments before the first FROM, and the platform words. */
  #globalArguments(): ReadonlyMap<string, string> {
    const { dockerfile, platform = hostPlatform() } = this.#request
    const globals = new Map(
      ['TARGET', 'BUILD'].flatMap((prefix) => platformArguments(prefix, prefix === 'TARGET' ? platform : hostPlatform())),
    )
    for (const name of globals.keys()) {
      const given = this.#argument(name)
      if (given !== undefined) globals.set(name, given)
      this.#usedArgs.add(name)
    }
    for (const { args } of dockerfile.globalArgs)
      for (const { name, value } of args) {
        const found = this.#argument(name) ?? (value === null ? undefined : expandWord(value, this.#expansion(globals)))
        this.#usedArgs.add(name)
        if (found !== undefined) globals.set(name, found)
      }
    return globals
  }

  async #configure(state: StageState, { name, rest, source }: ConfigurationInstruction): Promise<void> {
    const config = await this.#configOf(state)
    const { expansion } = await this.#expander(state)
    const next = applyInstruction(config, { name, rest }, expansion)
    if (name === 'CMD') state.hasCommand = true
    const change: ConfigChange = name === 'ENTRYPOINT' && !state.hasCommand ? { ...next, Cmd: undefined } : next
    if (name === 'WORKDIR') await this.#makeWorkingDirectory(state, change, source.text)
    else state.image = await withContainerConfig(this.#parts.ingest, state.image, change, this.#step(source.text))
  }

  async #makeWorkingDirectory(state: StageState, change: ConfigChange, text: string): Promise<void> {
    const { ingest } = this.#parts
    const step = this.#step(text)
    await this.#withUnion(state, async (union) => {
      makeDirectories(union, fromUtf8(change.WorkingDir ?? '/'), { uid: 0, gid: 0 })
      const isThere = [...union.changes()].length === 0
      state.image = isThere
        ? await withContainerConfig(ingest, state.image, change, step)
        : await withChanges(ingest, state.image, union, step, change)
    })
  }

  async #copy(state: StageState, instruction: CopyInstruction, number: number): Promise<void> {
    const { expand } = await this.#expander(state)
    const { WorkingDir = '/' } = await this.#configOf(state)
    const [from, chown, chmod] = [instruction.from, instruction.chown, instruction.chmod].map((text) =>
      text === null ? null : expand(text),
    )
    const destination = expand(instruction.destination)
    const mode = chmod === null || chmod === undefined ? null : modeOf(chmod)
    await this.#withSource(from ?? null, number, async (source) =>
      this.#withUnion(state, async (union) => {
        const owner = chown === null || chown === undefined ? source.owner : ownerOf(chown, union)
        const copied = copyInto(union, {
          ...source,
          sources: instruction.sources.map(expand),
          destination: joinPaths(WorkingDir, destination),
          isDirectory: /(^|\/)\.{0,2}$/.test(destination),
          owner,
          mode,
        })
        state.image = await withChanges(this.#parts.ingest, state.image, copied, this.#step(instruction.source.text))
      }),
    )
  }

  async #withSource(from: string | null, number: number, use: (source: CopySource) => Promise<void>): Promise<void> {
    const { context, ignore, dockerfile } = this.#request
    if (from === null) {
      const whyMissing = (path: string) => (ignore.ignores(path) ? `It is left out by ${ignore.file}.` : null)
      return use({ tree: context, treeName: 'the build context', owner: { uid: 0, gid: 0 }, whyMissing })
    }
    const stage = stageOf(dockerfile, from, number)
    const built = stage === null ? undefined : this.#done.get(stage)
    const image = built?.image ?? (await this.#base(0, from, null)).image
    await this.#withLayers(image, (layers) =>
      use({
        tree: new UnionFs({ lowers: layers }),
        treeName: `${built === undefined ? 'the image' : 'the stage'} ${from}`,
        owner: null,
        whyMissing: () => null,
      }),
    )
  }

  async #run(state: StageState, { words, line, network }: RunInstruction): Promise<void> {
    const config = await this.#configOf(state)
    const { bounds } = this.#request
    if (network === 'host' && bounds.network === 'none')
      throw new EngineError('INVALID_ARGUMENT', 'RUN --network=host needs leave: the build has no network', {
        hint: 'Build with --network host.',
      })
    const command = words ?? shellCommand(config, line)
    const proxies = PROXIES.flatMap((name) => {
      const value = this.#argument(name)
      return value === undefined ? [] : [[name, value] as const]
    })
    const own = environmentOf(config)
    const args = [...state.args].filter(([name]) => !own.has(name))
    const noted = args.length === 0 ? '' : `|${args.length} ${args.map(([name, value]) => `${name}=${value}`).join(' ')} `
    const { ingest, workshop } = this.#parts
    const { report, signal } = this.#request
    state.image = await runCommand(
      { ingest, workshop: await workshop(), report, signal },
      {
        image: state.image,
        platform: state.platform,
        words: command,
        shown: command.join(' '),
        env: Object.fromEntries([...proxies, ...args]),
        bounds: network === 'none' ? { ...bounds, network } : bounds,
        step: this.#step(`RUN ${noted}${command.join(' ')}`),
      },
    )
  }

  async #addLabels(state: StageState, labels: Readonly<Record<string, string>>): Promise<void> {
    const text = `LABEL ${Object.entries(labels)
      .map(([name, value]) => `${name}=${value}`)
      .join(' ')}`
    this.#begin(text)
    const { Labels } = await this.#configOf(state)
    state.image = await withContainerConfig(this.#parts.ingest, state.image, { Labels: { ...Labels, ...labels } }, this.#step(text))
    this.#request.report({ event: 'image', id: state.image.descriptor.digest })
  }

  /** A union over the image so far, in which what is made has the build's time. */
  #withUnion(state: StageState, use: (union: UnionFs) => Promise<void>): Promise<void> {
    const now = BigInt(this.#request.created.getTime()) * 1_000_000n
    return this.#withLayers(state.image, (lowers) => use(new UnionFs({ lowers, now: () => now })))
  }

  async #withLayers(image: Image, use: (layers: readonly PackedLayer[]) => Promise<void>): Promise<void> {
    const { signal } = this.#request
    const layers: PackedLayer[] = []
    try {
      for (const layer of await image.layers())
        layers.push(openStoredLayer(await this.#parts.store.layers.ensure(layer, signal === undefined ? {} : { signal })))
      await use(layers)
    } finally {
      for (const layer of layers) layer.close()
    }
  }
}

interface CopySource {
  readonly tree: ReadonlyFileSystem
  readonly treeName: string
  readonly owner: Owner | null
  readonly whyMissing: (path: string) => string | null
}

function platformArguments(prefix: string, platform: Platform): readonly (readonly [string, string])[] {
  const { os, architecture, variant = '' } = platform
  return [
    [`${prefix}PLATFORM`, formatPlatform(platform)],
    [`${prefix}OS`, os],
    [`${prefix}ARCH`, architecture],
    [`${prefix}VARIANT`, variant],
  ]
}

/** Bytes of /etc/passwd and /etc/group that are looked at. */
const USER_FILE_BYTES = 1 << 20

/** `user[:group]` by the image's own files; a number without a group is its own group's number (docker). */
function ownerOf(chown: string, tree: ReadonlyFileSystem): Owner {
  if (chown === '') throw new EngineError('INVALID_ARGUMENT', '--chown names nobody')
  const files = { passwd: readTextFile(tree, '/etc/passwd', USER_FILE_BYTES), group: readTextFile(tree, '/etc/group', USER_FILE_BYTES) }
  const { uid, gid } = resolveUser(/^\d+$/.test(chown) ? `${chown}:${chown}` : chown, files)
  return { uid, gid }
}

function modeOf(chmod: string): number {
  if (/^0?[0-7]{1,4}$/.test(chmod)) return Number.parseInt(chmod, 8)
  throw new EngineError('INVALID_ARGUMENT', `invalid chmod parameter: ${JSON.stringify(chmod)}`, {
    hint: 'Write it in octal: --chmod=755.',
  })
}
