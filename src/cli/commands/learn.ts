import { readFileSync, writeFileSync } from 'node:fs'
import type { Container } from '../../container/container.js'
import { EngineError, messageOf } from '../../errors.js'
import type { CliCommand } from '../command.js'
import { runInForeground, signalTarget, untilAborted } from '../foreground.js'
import { printable } from '../output.js'
import { implicitPull } from '../pull-progress.js'
import { UsageError } from '../report.js'
import { addCreateFlags, attachedStreams, createOptions, rewriteValues } from '../run-options.js'
import { terminalSize } from '../terminal.js'

/** `wolffia learn`: runs a program and writes down the least that it needed. Ends with the guest's exit code. */
export const command: CliCommand = {
  usage: 'IMAGE [COMMAND] [ARG...]',
  arity: [1, Number.POSITIVE_INFINITY],
  takesProgram: true,
  configure(parser) {
    addCreateFlags(parser)
    parser
      .option('-o, --output <file>', 'the seccomp profile, to which each run adds; seccomp.json unless said')
      .option('--flags <file>', 'write the flags of run that the program gets along with too, one a line')
      .addHelpText('after', '\nThe program runs under the usual filter, and slower. The container is removed at its end.\n')
  },
  rewrite: rewriteValues,
  async run(positional, options) {
    const wanted = createOptions(positional, options, process.env)
    if (wanted.restart !== undefined && wanted.restart.name !== 'no')
      throw new UsageError('conflicting options: learn and --restart', { exitCode: 1 })
    const { output = 'seccomp.json', flags } = options as { readonly output?: string; readonly flags?: string }
    const before = profileBefore(output)
    const shown = attachedStreams(options)
    return untilAborted(async (signals) => {
      const { Engine } = await import('../../engine/engine.js')
      const { learnedPolicy } = await import('../../engine/learned-policy.js')
      await using engine = await Engine.open()
      const size = wanted.tty ? { terminalSize: terminalSize() } : {}
      // Kept until what it has written is known.
      const container = await engine.containers.create({
        ...wanted,
        ...size,
        autoRemove: false,
        watch: 'allowed',
        pullProgress: implicitPull(wanted, options),
        signal: signals.signal,
      })
      try {
        signals.forwardTo(signalTarget(container))
        const status = await runInForeground(container, { signals, shown })
        if (typeof status === 'string') throw new EngineError('CONFLICT', 'nothing was learned: the container was left before its end')
        const report = await container.systemCalls()
        if (report === null)
          throw new EngineError('LAUNCHER_FAILED', 'nothing was learned: the watcher of the system calls did not answer at the end')
        const policy = learnedPolicy(report, {
          written: await writtenBy(container, wanted.readonlyRootfs === true),
          mounted: container.spec.mounts.map(({ destination }) => destination),
          before,
        })
        write(output, `${JSON.stringify(policy.profile, null, 2)}\n`)
        const all = [`--security-opt=seccomp=${output}`, ...policy.mountFlags]
        if (flags !== undefined) write(flags, `${all.join('\n')}\n`)
        process.stderr.write(`wolffia: ${policy.allowed} system calls in ${printable(output)}, of ${policy.allowedUnlearned} without it\n`)
        process.stderr.write(`wolffia: run it with ${printable(all.join(' '))}\n`)
        if (policy.inRoot.length > 0)
          process.stderr.write(
            `wolffia: --read-only keeps it from writing ${printable(policy.inRoot.join(' '))}, which no mount can stand for\n`,
          )
        if (report.more > 0)
          process.stderr.write(
            `wolffia: ${report.more} calls of more kinds than are kept are missing in it: run the parts of the program apart\n`,
          )
        return status.exitCode
      } finally {
        await container.remove({ force: true, volumes: true })
      }
    })
  },
}

/** What runs before have come to. */
function profileBefore(path: string): { readonly source: string; readonly json: string } | null {
  try {
    return { source: path, json: readFileSync(path, 'utf8') }
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw new EngineError('INVALID_ARGUMENT', `cannot read the profile ${path}: ${messageOf(cause)}`, { cause })
  }
}

async function writtenBy(container: Container, isReadOnly: boolean) {
  return isReadOnly ? null : (await container.written()).changes
}

function write(path: string, text: string): void {
  try {
    writeFileSync(path, text)
  } catch (cause) {
    throw new EngineError('INVALID_ARGUMENT', `cannot write ${path}: ${messageOf(cause)}`, { cause })
  }
}
