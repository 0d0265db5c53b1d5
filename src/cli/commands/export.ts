import { EngineError } from '../../errors.js'
import type { CliCommand } from '../command.js'
import { assertOutputPath, writeOutputFile, writeToStdout } from '../output-file.js'

/** `wolffia export`: a container's whole root as a tar, without what is mounted on it. */
export const command: CliCommand = {
  usage: 'CONTAINER',
  arity: [1, 1],
  configure(parser) {
    parser.option('-o, --output <file>', 'write to a file; to stdout unless said')
  },
  async run([name = ''], { output }) {
    if (output === undefined && process.stdout.isTTY)
      throw new EngineError('INVALID_ARGUMENT', 'cowardly refusing to save to a terminal', { hint: 'Use the -o flag or redirect.' })
    if (output !== undefined) assertOutputPath(String(output))
    const { Engine } = await import('../../engine/engine.js')
    await using engine = await Engine.open()
    const container = await engine.containers.get(name)
    if (output === undefined) await writeToStdout(await container.exportRoot())
    else await writeOutputFile(String(output), await container.exportRoot())
    return 0
  },
}
