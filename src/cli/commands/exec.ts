import { detachKeysOf } from '../attached.js'
import type { CliCommand } from '../command.js'
import { converse, SignalRelay } from '../foreground.js'
import { environmentOf } from '../name-value-flags.js'
import { UsageError } from '../report.js'
import { terminalSize } from '../terminal.js'

const collect = (value: string, before: readonly string[] | undefined) => [...(before ?? []), value]

/** `wolffia exec`: runs one more program in a container that runs, and ends with its exit code. */
export const command: CliCommand = {
  usage: 'CONTAINER COMMAND [ARG...]',
  arity: [2, Number.POSITIVE_INFINITY],
  takesProgram: true,
  configure(parser) {
    parser
      .option('-d, --detach', 'go on in the background')
      .option('--detach-keys <keys>', 'what leaves a terminal; ctrl-p,ctrl-q unless said')
      .option('-e, --env <NAME[=VALUE]>', 'set a variable, or pass on the one of that name', collect)
      .option('--env-file <file>', 'read variables from a file', collect)
      .option('-i, --interactive', 'keep stdin open')
      .option('-t, --tty', 'a terminal as stdio')
      .option('-u, --user <user[:group]>', 'name or number')
      .option('-w, --workdir <path>', 'working directory')
  },
  async run([name = '', ...words], options) {
    const { detach, env, envFile, interactive, tty, user, workdir } = options
    const detachKeys = detachKeysOf(options)
    const list = (value: unknown) => (value as readonly string[] | undefined) ?? []
    if (detach !== true && tty === true && interactive === true && !process.stdin.isTTY)
      throw new UsageError('the input device is not a TTY', { exitCode: 1, hint: 'Leave out -t when stdin is a pipe or a file.' })
    const { Engine } = await import('../../engine/engine.js')
    await using engine = await Engine.open()
    const container = await engine.containers.get(name)
    await using exec = await container.exec({
      command: words,
      env: environmentOf(list(envFile), list(env), process.env),
      tty: tty === true,
      openStdin: interactive === true,
      detach: detach === true,
      ...(tty === true ? { terminalSize: terminalSize() } : {}),
      ...(typeof user === 'string' ? { user } : {}),
      ...(typeof workdir === 'string' && workdir !== '' ? { workingDir: workdir } : {}),
    })
    if (detach === true) {
      await exec.start()
      return 0
    }
    const signals = new SignalRelay()
    try {
      await exec.prepare()
      signals.forwardTo({ hasTerminal: tty === true, kill: (signal) => exec.kill(signal) })
      const { stdin, stdout, stderr } = exec
      const outcome = await converse(
        { stdin, stdout, stderr, resize: tty === true ? (size) => exec.resize(size) : null },
        {
          ...(detachKeys === undefined ? {} : { detachKeys }),
          begin: () => exec.start(),
          end: async () => {
            await exec.wait()
          },
        },
      )
      if (outcome === 'ended') return (await exec.wait()).exitCode
      await exec.leave()
      return 0
    } finally {
      signals.dispose()
    }
  },
}
