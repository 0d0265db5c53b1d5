import { writeFile } from 'node:fs/promises'
import type { Diagnosis } from '../../engine/doctor.js'
import { messageOf } from '../../errors.js'
import type { CliCommand } from '../command.js'
import { Style } from '../output.js'
import { UsageError } from '../report.js'

/** `wolffia doctor`: tries what the walls need and says what mends it. Ends with 1 when no wall or no store stands. */
export const command: CliCommand = {
  usage: '',
  arity: [0, 0],
  configure(parser) {
    parser.option('--json', 'print the findings as JSON').option('--write <file>', 'write a script for root that mends what it can')
  },
  async run(_positional, { json, write }) {
    const { findings, runtimes } = await diagnosis()
    const hasStore = findings.every(({ name, ok }) => ok || name !== 'store')
    const stands = hasStore && Object.values(runtimes).some((reason) => reason === null)
    if (write !== undefined) return writeScript(String(write), findings)
    if (json === true) {
      process.stdout.write(`${JSON.stringify({ findings, runtimes }, null, 2)}\n`)
      return stands ? 0 : 1
    }
    const style = new Style(process.stdout)
    const marks = { ok: style.green('ok  '), missing: style.yellow('--  '), failed: style.red('FAIL') }
    const line = (mark: string, name: string, text: string) => process.stdout.write(`${mark} ${style.bold(name.padEnd(20))} ${text}\n`)
    for (const { name, purpose, ok, required, why, fix } of findings) {
      line(ok ? marks.ok : required ? marks.failed : marks.missing, name, ok ? why : `${why} (for ${purpose})`)
      if (fix !== null) process.stdout.write(`${' '.repeat(26)}${style.yellow(`to mend it: ${fix}`)}\n`)
    }
    process.stdout.write('\n')
    for (const [name, reason] of Object.entries(runtimes))
      line(reason === null ? marks.ok : marks.failed, `${name} wall`, reason ?? 'stands')
    return stands ? 0 : 1
  },
}

/** Into a new file, so that nobody's is lost. */
async function writeScript(path: string, findings: Diagnosis['findings']): Promise<number> {
  const { mendScript } = await import('../../engine/mend-script.js')
  const script = mendScript(findings)
  if (script === null) {
    process.stdout.write('There is nothing that a script could mend.\n')
    return 0
  }
  try {
    await writeFile(path, script, { flag: 'wx', mode: 0o755 })
  } catch (cause) {
    throw new UsageError(`--write ${path}: ${messageOf(cause)}`, { exitCode: 1, hint: 'Name a file that is not there yet.' })
  }
  process.stdout.write(`Written to ${path}: read it, then run it as root: sh ${path}\n`)
  return 0
}

async function diagnosis(): Promise<Diagnosis> {
  const { Engine } = await import('../../engine/engine.js')
  return Engine.open().then(
    async (opened) => {
      await using engine = opened
      return await engine.doctor()
    },
    async (reason: unknown) => {
      const { diagnoseWithoutStore } = await import('../../engine/doctor.js')
      return diagnoseWithoutStore(reason)
    },
  )
}
