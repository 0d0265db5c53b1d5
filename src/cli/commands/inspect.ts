import type { Container } from '../../container/container.js'
import type { Engine } from '../../engine/engine.js'
import { EngineError, type ErrorCode } from '../../errors.js'
import type { CliCommand } from '../command.js'
import { forEach } from '../each.js'
import { inspectedAs } from '../inspected.js'

/** Kinds of what can be inspected: of one name the first of these wins. */
const KINDS = ['container', 'image', 'volume'] as const
type Kind = (typeof KINDS)[number]

/** `wolffia inspect`: containers, images and volumes in full, as one JSON array. */
export const command: CliCommand = {
  usage: 'NAME|ID [NAME|ID...]',
  arity: [1, Number.POSITIVE_INFINITY],
  configure(parser) {
    parser
      .option('-f, --format <template>', 'json, or a Go template: {{.State.Status}}')
      .option('-s, --size', 'of containers also what each has written, and that with its image')
      .option('--type <container|image|volume>', 'look for one kind only')
      .option('--platform <os/arch>', "which of an image's platforms")
  },
  async run(names, { type, platform, format, size, debug }) {
    const kinds = type === undefined ? KINDS : KINDS.filter((kind) => kind === type)
    if (kinds.length === 0)
      throw new EngineError('INVALID_ARGUMENT', `"${String(type)}" is not a valid value for --type`, {
        hint: 'There are container, image and volume.',
      })
    const context = { command: 'inspect', debug: debug === true }
    const inspected = await inspectedAs(format, context)
    if (typeof inspected === 'number') return inspected
    const { Engine } = await import('../../engine/engine.js')
    await using engine = await Engine.open()
    const exitCode = await forEach(names, context, async (name) => {
      inspected.add(
        await inspectFirst(engine, kinds, name, { size: size === true, ...(platform === undefined ? {} : { platform: String(platform) }) }),
      )
    })
    inspected.end()
    return exitCode
  },
}

interface InspectOptions {
  /** Of an image, the platform that is shown. */
  readonly platform?: string
  /** Of a container, whether its sizes are counted. */
  readonly size: boolean
}

async function inspectFirst(engine: Engine, kinds: readonly Kind[], name: string, options: InspectOptions): Promise<object> {
  let missing: EngineError | null = null
  for (const kind of kinds)
    try {
      return await inspectOne(engine, kind, name, options)
    } catch (error) {
      if (kinds.length === 1 || !(error instanceof EngineError) || !MISSING.has(error.code)) throw error
      // Of a name that no image can have that is what is wrong, when nothing else has it either.
      if (missing === null || error.code === 'INVALID_REFERENCE') missing = error
    }
  throw missing?.code === 'INVALID_REFERENCE' ? missing : neither(name, missing)
}

const MISSING: ReadonlySet<ErrorCode> = new Set(['CONTAINER_NOT_FOUND', 'IMAGE_NOT_FOUND', 'INVALID_REFERENCE', 'VOLUME_NOT_FOUND'])

async function inspectOne(engine: Engine, kind: Kind, name: string, options: InspectOptions): Promise<object> {
  if (kind === 'volume') {
    const { inspectVolume } = await import('../volume-form.js')
    return inspectVolume(await engine.volumes.get(name))
  }
  const { inspectContainer, inspectImage } = await import('../inspect-form.js')
  if (kind === 'image') return inspectImage(await engine.images.inspect(name, options))
  const container = await engine.containers.get(name)
  const found = await inspectContainer(container, await entrypointOf(engine, container))
  if (!options.size) return found
  const { writtenBytes, imageBytes } = await container.size()
  return { ...found, SizeRw: writtenBytes, SizeRootFs: imageBytes + writtenBytes }
}

async function entrypointOf(engine: Engine, { image }: Container): Promise<readonly string[]> {
  const { os, architecture, variant } = image.platform
  const platform = [os, architecture, variant].filter(Boolean).join('/')
  const details = await engine.images.inspect(image.id, { platform }).catch(() => null)
  return details?.process.entrypoint ?? []
}

function neither(name: string, cause: EngineError | null): EngineError {
  return new EngineError('IMAGE_NOT_FOUND', `no such container, image or volume: ${name}`, {
    cause,
    hint: '`wolffia ps -a`, `wolffia images` and `wolffia volume ls` list what there is.',
  })
}
