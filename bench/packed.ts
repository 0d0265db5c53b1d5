/** What `wolffia bench` runs: the matrix without the workloads, so that no library is needed that the package has not. */
import { messageOf } from '../src/errors.js'
import { columns } from './matrix/matrix.js'
import { matrixPage, runMatrix } from './matrix/run.js'
import { firstByte, start } from './matrix/start.js'
import { ownImage } from './own-image.js'
import type { RunSettings } from './saved-report.js'

interface Words extends RunSettings {
  readonly json: boolean
  /** Null for the guests of the harness. */
  readonly image: string | null
  readonly command: readonly string[]
}

async function main({ image, command, json, ...settings }: Words): Promise<void> {
  const report = image === null ? await runMatrix(columns(settings.quick), settings) : await runOwn(image, command, settings)
  process.stdout.write(json ? `${JSON.stringify(report, null, 1)}\n` : matrixPage(report))
}

async function runOwn(image: string, command: readonly string[], settings: RunSettings) {
  const { root, words } = await ownImage(image, command)
  return runMatrix([start(words), firstByte(words)], settings, { root })
}

main(JSON.parse(process.argv[2] ?? 'null') as Words).catch((error: unknown) => {
  process.stderr.write(`wolffia: ${messageOf(error)}\n`)
  process.exitCode = 1
})
