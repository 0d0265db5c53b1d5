import type { CliCommand } from '../command.js'
import { Style } from '../output.js'

/** `wolffia doctor`: tries what the walls need and says what mends it. Ends with 1 when no wall stands. */
export const command: CliCommand = {
  usage: '',
  arity: [0, 0],
  configure(parser) {
    parser.option('--json', 'print the findings as JSON')
  },
  async run(_positional, { json }) {
    const { Engine } = await import('../../engine/engine.js')
    await using engine = await Engine.open()
    const { findings, runtimes } = await engine.doctor()
    const stands = Object.values(runtimes).some((reason) => reason === null)
    if (json === true) {
      process.stdout.write(`${JSON.stringify({ findings, runtimes }, null, 2)}\n`)
      return stands ? 0 : 1
    }
    const style = new Style(process.stdout)
    const mark = (ok: boolean) => (ok ? style.green('ok  ') : style.red('FAIL'))
    for (const { name, ok, detail, fix } of findings) {
      process.stdout.write(`${mark(ok)} ${style.bold(name.padEnd(18))} ${detail}\n`)
      if (fix !== undefined) process.stdout.write(`     ${' '.repeat(18)} ${style.yellow(`to mend: ${fix}`)}\n`)
    }
    process.stdout.write('\n')
    for (const [name, reason] of Object.entries(runtimes))
      process.stdout.write(`${mark(reason === null)} ${style.bold(`${name} wall`.padEnd(18))} ${reason ?? 'stands'}\n`)
    return stands ? 0 : 1
  },
}
