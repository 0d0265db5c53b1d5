import type { Container } from '../../container/container.js'
import type { Engine } from '../../engine/engine.js'
import { EngineError } from '../../errors.js'
import type { CliCommand } from '../command.js'
import { forEach } from '../each.js'

/** `wolffia inspect`: containers and images in full, as one JSON array. A container wins over an image of the same name. */
export const command: CliCommand = {
  usage: 'NAME|ID [NAME|ID...]',
  arity: [1, Number.POSITIVE_INFINITY],
  configure(parser) {
    parser
      .option('-f, --format <template>', 'json, or a Go template: {{.State.Status}}')
      .option('--type <container|image>', 'look for one kind only')
      .option('--platform <os/arch>', "which of an image's platforms")
  },
  async run(names, { type, platform, format, debug }) {
    if (type !== undefined && type !== 'container' && type !== 'image')
      throw new EngineError('INVALID_ARGUMENT', `"${String(type)}" is not a valid value for --type`, {
        hint: 'There are container and image.',
      })
    let template: ((inspected: object) => string) | null = null
    if (format !== undefined && format !== '' && format !== 'json') {
      const { inspectTemplate, TEMPLATE_EXIT_CODE } = await import('../inspect-template.js')
      template = inspectTemplate(String(format), { command: 'inspect', debug: debug === true })
      if (template === null) return TEMPLATE_EXIT_CODE
    }
    const { Engine } = await import('../../engine/engine.js')
    const { inspectContainer, inspectImage } = await import('../inspect-form.js')
    await using engine = await Engine.open()
    const found: object[] = []
    const exitCode = await forEach(names, { command: 'inspect', debug: debug === true }, async (name) => {
      const container = type === 'image' ? null : await orNull('CONTAINER_NOT_FOUND', () => engine.containers.get(name), type === undefined)
      const inspected =
        container !== null
          ? await inspectContainer(container, await entrypointOf(engine, container))
          : inspectImage(
              await engine.images.inspect(name, platform === undefined ? {} : { platform: String(platform) }).catch((error: unknown) => {
                throw type === undefined && error instanceof EngineError && error.code === 'IMAGE_NOT_FOUND' ? neither(name, error) : error
              }),
            )
      if (template === null) found.push(inspected)
      else process.stdout.write(template(inspected))
    })
    if (template === null) process.stdout.write(`${JSON.stringify(found, null, format === 'json' ? 0 : 4)}\n`)
    return exitCode
  },
}

async function orNull<T>(code: EngineError['code'], look: () => Promise<T>, mayBeMissing: boolean): Promise<T | null> {
  try {
    return await look()
  } catch (error) {
    if (mayBeMissing && error instanceof EngineError && error.code === code) return null
    throw error
  }
}

async function entrypointOf(engine: Engine, { image }: Container): Promise<readonly string[]> {
  const { os, architecture, variant } = image.platform
  const platform = [os, architecture, variant].filter(Boolean).join('/')
  const details = await engine.images.inspect(image.id, { platform }).catch(() => null)
  return details?.process.entrypoint ?? []
}

function neither(name: string, cause: EngineError): EngineError {
  return new EngineError('IMAGE_NOT_FOUND', `no such container or image: ${name}`, {
    cause,
    hint: '`wolffia ps -a` and `wolffia images` list what there is.',
  })
}
