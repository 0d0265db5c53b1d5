import type { Container } from '../container/container.js'
import { type EachOptions, forEach } from './each.js'

/** Does the same to each of several containers, as {@link forEach}, and prints the name of each that it was done to, as it was typed. */
export async function forEachContainer(
  names: readonly string[],
  options: EachOptions,
  action: (container: Container) => Promise<unknown>,
): Promise<number> {
  const { Engine } = await import('../engine/engine.js')
  await using engine = await Engine.open()
  return await forEach(names, options, async (name) => {
    await action(await engine.containers.get(name))
    process.stdout.write(`${name}\n`)
  })
}
