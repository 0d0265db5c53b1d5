import type { CliCommand } from '../command.js'

/** `wolffia commit`: makes an image of a container, with what it has written as one more layer, and prints its id. */
export const command: CliCommand = {
  usage: 'CONTAINER [REPOSITORY[:TAG]]',
  arity: [1, 2],
  configure(parser) {
    parser
      .option('-a, --author <text>', 'who made it, such as "Ada Lovelace <ada@example.com>"')
      .option(
        '-c, --change <instruction>',
        'ENV, CMD, ENTRYPOINT, WORKDIR, USER or LABEL as in a Dockerfile',
        (value, before: readonly string[] | undefined) => [...(before ?? []), value],
      )
      .option('-m, --message <text>', "comment in the image's history")
      .option('-p, --pause', 'stop its processes meanwhile; so it is unless --pause=false')
      .option('--no-pause', 'let its processes go on meanwhile')
  },
  async run([name = '', reference], { author, change, message, pause }) {
    const { Engine } = await import('../../engine/engine.js')
    await using engine = await Engine.open()
    const image = await engine.images.commit(await engine.containers.get(name), {
      changes: (change as readonly string[] | undefined) ?? [],
      pause: pause !== false,
      ...(author === undefined ? {} : { author: String(author) }),
      ...(message === undefined ? {} : { message: String(message) }),
      ...(reference === undefined ? {} : { reference }),
    })
    process.stdout.write(`${image.id}\n`)
    return 0
  },
}
